"""Allow-list of services: which requests it allows, and that no name bypasses it."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions
from cells.services.allow_list import AllowedServices
from cells.services.request import ServiceRequest
from tests.cases import each

EXCHANGE = "nova"
OWN_TOPICS = ("cells", "cells.intercell")


def is_allowed(patterns: str, topic: str = "inventory", method: str = "count", **others: Any) -> bool:
    allowed = AllowedServices(patterns.split(), EXCHANGE, OWN_TOPICS)
    try:
        allowed.check(ServiceRequest(topic=topic, method=method, **others), "east")
    except exceptions.ServiceNotAllowed:
        return False
    return True


def test_by_default_nothing_may_be_called() -> None:
    with pytest.raises(exceptions.ServiceNotAllowed) as caught:
        AllowedServices([], EXCHANGE).check(ServiceRequest(topic="inventory", method="count"), "east")
    assert caught.value.cell == "east"
    assert "[cells] allowed_services = inventory:count" in str(caught.value)


@each(
    ("exchange", "patterns", "allowed"),
    [
        *(("nova", patterns, True) for patterns in ("*", "inventory", "inv*", "*:count", "nova/inventory")),
        *(
            ("nova", patterns, True)
            for patterns in ("inventory:count", "inventory:c?unt", "n*/*:count", "a b inventory")
        ),
        *(("nova", patterns, False) for patterns in ("inventor", "nventory", "Inventory", "inventory.count")),
        *(("nova", patterns, False) for patterns in ("inventory:COUNT", "inventory:coun", "inventory:get_*")),
        *(("nova", patterns, False) for patterns in ("glance/inventory", "nova/inventory:delete")),
        # A pattern must name an exchange that is not the manager's.
        *(("glance", patterns, False) for patterns in ("inventory", "*", "nova/inventory", "gl?nce/*:get")),
        *(("glance", patterns, True) for patterns in ("glance/inventory", "*/inventory", "*/*", "gl*/*:count")),
    ],
)
def test_only_a_matching_pattern_allows_the_call(exchange: str, patterns: str, allowed: bool) -> None:
    assert is_allowed(patterns, exchange=exchange) is allowed


def test_the_advised_setting_names_another_exchange() -> None:
    request = ServiceRequest(topic="inventory", method="count", exchange="glance")
    with pytest.raises(exceptions.ServiceNotAllowed, match="allowed_services = glance/inventory:count"):
        AllowedServices(["*"], EXCHANGE).check(request, "east")


def test_a_namespace_is_part_of_the_method() -> None:
    assert is_allowed("inventory:admin.reset", method="reset", namespace="admin")
    assert is_allowed("inventory:admin.*", method="reset", namespace="admin")
    assert not is_allowed("inventory:reset", method="reset", namespace="admin")
    assert not is_allowed("inventory:admin.reset", method="reset")
    assert is_allowed("inventory:a.b.reset", method="reset", namespace="a.b")
    assert is_allowed("inventory:*.reset", method="reset", namespace="admin")
    assert not is_allowed("inventory:*.reset", method="reset")


def test_a_wildcard_for_methods_leads_into_no_namespace() -> None:
    assert is_allowed("inventory:get_*", method="get_all")
    assert not is_allowed("inventory:get_*", method="delete", namespace="get_rid_of")
    assert not is_allowed("inventory:get_*", method="get_all", namespace="admin")
    assert not is_allowed("inventory:admin.*", method="delete", namespace="admin.secret")
    for patterns in ("inventory", "inventory:*"):
        assert is_allowed(patterns, method="reset", namespace="admin")


def test_a_request_without_an_exchange_is_for_that_of_the_manager() -> None:
    assert is_allowed("inventory", exchange=None)
    assert is_allowed("nova/inventory", exchange=None)
    assert not is_allowed("glance/inventory", exchange=None)


@each(
    "names",
    [
        *({"topic": topic} for topic in ("secret/inventory", "inventory:secret", "inventory\nsecret")),
        {"topic": "inventory:count/inventory", "method": "drop"},
        *({"topic": "secret", "exchange": exchange} for exchange in ("inventory:/", "x/inventory:count")),
        {"topic": "secret", "method": "x/inventory:count"},
        {"topic": "secret", "method": "count", "namespace": "x/inventory:count"},
        *({"method": method} for method in ("drop:count", "drop\ncount")),
    ],
    ids=str,
)
def test_no_character_in_a_name_bypasses_the_list(names: dict[str, str]) -> None:
    assert not is_allowed("inventory:count", **names)


def test_similar_unicode_names_differ() -> None:
    assert not is_allowed("inventory", topic="\uff49nventory")
    assert not is_allowed("größe", topic="gro\u0308ße")
    assert is_allowed("größe", topic="größe")


def test_brackets_in_a_topic_are_nothing_special() -> None:
    assert is_allowed("inventory", topic="inventory")
    assert not is_allowed("inventory", topic="[i]nventory")
    assert is_allowed("a[[]b", topic="a[b")
    # In a pattern, brackets are wildcards as in file names.
    assert is_allowed("inventory[12]", topic="inventory2")


@each(
    ("topic", "server"),
    [
        *(("cells", None), ("cells", "host"), ("cells.intercell", None), ("cells.intercell", "targeted")),
        *(("cells.intercell.targeted", None), ("cells.fanout-consumers", None)),
    ],
)
def test_no_pattern_allows_the_topics_of_the_manager(topic: str, server: str | None) -> None:
    assert not is_allowed("* cells cells.*", topic=topic, server=server)
    with pytest.raises(exceptions.ServiceNotAllowed):
        AllowedServices(["*"], EXCHANGE, OWN_TOPICS).check(
            ServiceRequest(topic=topic, method="m", server=server), "east"
        )


def test_a_server_name_with_a_dot_does_not_lead_to_the_managers_topics() -> None:
    own = AllowedServices(["*"], EXCHANGE, ["a.b.c"])
    for topic, server in (("a", "b.c"), ("a.b", "c"), ("a", "b.c.targeted")):
        with pytest.raises(exceptions.ServiceNotAllowed):
            own.check(ServiceRequest(topic=topic, method="m", server=server), "east")


def test_a_topic_that_only_starts_like_the_managers_is_allowed() -> None:
    assert is_allowed("*", topic="cellsx")
    assert is_allowed("*", topic="cell", server="s")


@each(
    "pattern",
    [
        *("", " ", ":count", "nova/", "/inventory", "nova/:count", "/"),
        *("inventory:", "nova/inventory:", "inventory compute"),
    ],
)
def test_an_incomplete_pattern_is_a_configuration_error(pattern: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="allowed_services"):
        AllowedServices([pattern], EXCHANGE)


def test_a_refusal_of_long_names_is_short() -> None:
    with pytest.raises(exceptions.ServiceNotAllowed) as caught:
        AllowedServices([], EXCHANGE).check(
            ServiceRequest(topic="t" * 255, method="m" * 255, namespace="n" * 255), "east"
        )
    assert len(str(caught.value)) < 2000


def test_a_list_is_replaced_as_a_whole_or_not_at_all() -> None:
    allowed = AllowedServices(["inventory"], EXCHANGE)
    inventory, compute = (ServiceRequest(topic=topic, method="count") for topic in ("inventory", "compute"))
    with pytest.raises(exceptions.ConfigurationError):
        allowed.replace(["compute", "compute:"])
    allowed.check(inventory, "east")
    allowed.replace(["compute"])
    allowed.check(compute, "east")
    with pytest.raises(exceptions.ServiceNotAllowed):
        allowed.check(inventory, "east")
