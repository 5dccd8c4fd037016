"""Counters: per manager, by event and reason."""

from __future__ import annotations

from concurrent import futures

import prometheus_client

from cells.counters import Counters


def test_starts_empty() -> None:
    assert Counters().as_dict() == {}


def test_counts_by_event_and_reason() -> None:
    counters = Counters()
    counters.count("received")
    counters.count("rejected", "MalformedMessage")
    counters.count("rejected", "MalformedMessage")
    counters.count("rejected", "UnknownMethod")
    assert counters.as_dict() == {"received": 1, "rejected.MalformedMessage": 2, "rejected.UnknownMethod": 1}


def test_managers_in_one_process_count_separately() -> None:
    one, other = Counters(), Counters()
    one.count("received")
    assert other.as_dict() == {}


def test_no_count_is_lost_between_threads() -> None:
    counters = Counters()
    with futures.ThreadPoolExecutor(8) as pool:
        for _ in range(400):
            pool.submit(counters.count, "received")
    assert counters.as_dict() == {"received": 400}


def test_prometheus_format() -> None:
    counters = Counters()
    counters.count("rejected", "MalformedMessage")
    text = prometheus_client.generate_latest(counters.registry).decode()
    assert 'cells_events_total{event="rejected",reason="MalformedMessage"} 1.0' in text


def test_received_messages_are_counted_by_type_too() -> None:
    counters = Counters()
    counters.count_received(["targeted"] * 3)
    counters.count_received(["response"] * 1)
    assert counters.as_dict() == {"received": 4}
    assert counters.received() == {"targeted": 3, "response": 1}
    assert counters.received_together.buckets().total == 4
