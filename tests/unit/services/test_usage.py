"""Counts of the requests to the services of a cell."""

from __future__ import annotations

from cells.services.request import ServiceRequest
from cells.services.usage import MAX_PAIRS, NOT_ALLOWED, ServiceUsage
from tests.clock import Clock

COUNT = ServiceRequest(topic="inventory", method="count")


def test_each_caller_of_a_service_is_counted() -> None:
    clock = Clock()
    usage = ServiceUsage([" inventory:count", "nova/*", "inv", "cells/*", "*/*:get"], "openstack", clock)
    for event in ("calls", "calls", "timed_out"):
        usage.count(COUNT, "api", event)
    clock.advance(5.0)
    usage.count(ServiceRequest(topic="scheduler", method="x", exchange="nova"), "api", "casts")
    found = usage.as_dict()
    assert found["allowed"] == ["inventory:count", "nova/*", "inv", "cells/*", "*/*:get"]
    assert found["unused"] == ["inv", "cells/*"]
    assert [(use["service"], use["caller"], use["last_seconds"]) for use in found["uses"]] == [
        ("inventory", "api", 5.0),
        ("nova/scheduler", "api", 0.0),
    ]
    assert [found["uses"][0][event] for event in ("calls", "casts", "timed_out", "failed")] == [2, 0, 1, 0]


def test_names_of_the_callers_choice_use_bounded_memory() -> None:
    usage = ServiceUsage([])
    for number in range(MAX_PAIRS + 10):
        request = ServiceRequest(topic=f"t{number}", method="x")
        usage.count(request, "api", "calls")
        usage.count(request, "api", "refused")
    found = usage.as_dict()["uses"]
    assert len(found) <= MAX_PAIRS + 1
    assert [use["refused"] for use in found if use["service"] == NOT_ALLOWED] == [MAX_PAIRS + 10]
    assert sum(use["calls"] for use in found) == MAX_PAIRS + 10
