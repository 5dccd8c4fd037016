"""RPCClient: it has the names and arguments of oslo.messaging's client, in the same order."""

from __future__ import annotations

import inspect
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging.rpc import client as oslo_client

from cells import exceptions
from cells.rpc import RPCClient, get_rpc_client
from cells.rpc.call_context import ATTRIBUTES, CallContext
from cells.rpc.manager_client import ManagerClient
from cells.services.request import ServiceRequest
from tests.cases import each

OURS = ["cell", "cells", "need"]


def keywords(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.fixture
def make(transport: Any) -> Any:
    def make(**options: Any) -> RPCClient:
        return RPCClient(transport, oslo_messaging.Target(topic="inventory", version="1.2"), **options)

    return make


def test_the_constructor_has_oslo_messagings_arguments() -> None:
    """A new keyword of oslo.messaging must be added here."""
    assert keywords(RPCClient) == keywords(oslo_messaging.RPCClient)
    assert keywords(get_rpc_client) == keywords(oslo_messaging.get_rpc_client)


@pytest.mark.parametrize("cls", [RPCClient, CallContext])
def test_prepare_has_oslo_messagings_arguments(cls: Any) -> None:
    assert keywords(cls.prepare) == [*keywords(oslo_messaging.RPCClient.prepare), *OURS]
    for name in OURS:
        assert inspect.signature(cls.prepare).parameters[name].kind is inspect.Parameter.KEYWORD_ONLY


@each("method", ["call", "cast", "can_send_version"])
def test_methods_have_oslo_messagings_arguments(method: str) -> None:
    theirs = keywords(getattr(oslo_messaging.RPCClient, method))
    assert keywords(getattr(RPCClient, method)) == theirs
    assert keywords(getattr(CallContext, method)) == keywords(getattr(oslo_client._CallContext, method))


def test_public_names_include_oslo_messagings() -> None:
    def public(cls: type) -> set[str]:
        return {name for name in dir(cls) if not name.startswith("_")}

    assert public(oslo_messaging.RPCClient) <= public(RPCClient)
    assert public(RPCClient) == {"broadcast", "call", "can_send_version", "cast", "multicall", "prepare"}
    assert public(CallContext) == public(RPCClient)


def test_attributes_are_oslo_messagings(make: Any) -> None:
    client = make()
    theirs = vars(oslo_messaging.get_rpc_client(client.transport, client.target))
    assert {name for name in theirs if not name.startswith("_")} == ATTRIBUTES
    prepared = client.prepare(timeout=3, retry=2, cell="east")
    assert (prepared.timeout, prepared.retry, prepared.target.topic) == (3, 2, client.target.topic)
    for made in (client, prepared):
        with pytest.raises(AttributeError, match="no attribute 'colour'"):
            _ = made.colour


def test_attributes_that_change_later_are_read_at_each_call(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in oslo.messaging, and also for calls of other cells (case H3)."""
    asked: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def ask(self: Any, ctxt: Any, operation: str, arguments: dict[str, Any], **options: Any) -> dict[str, Any]:
        asked.append((arguments["request"], options))
        return {"result": 1}

    monkeypatch.setattr(ManagerClient, "ask", ask)
    client = make()
    client.target.topic = "other"
    client.timeout = 7
    client.retry = 3
    client.prepare(cell="east").call({}, "count")
    ((request, options),) = asked
    assert ServiceRequest.from_dict(request).topic == "other"
    assert options["retry"] == 3
    assert options["timeout_seconds"] == pytest.approx(7, abs=1)
    prepared = client.prepare(transport_options=oslo_messaging.TransportOptions(at_least_once=True))
    assert prepared.prepare(server="host-1").transport_options.at_least_once
    assert client.transport_options is None


@each("cell", [None, "east"])
def test_the_target_of_a_client_may_be_replaced(make: Any, cell: Any) -> None:
    client = make()
    client.target = oslo_messaging.Target(topic="third")
    assert client.prepare(cell=cell).target.topic == "third"


def test_the_factory_makes_a_client_of_the_given_class(transport: Any) -> None:
    class Own(RPCClient):
        pass

    target = oslo_messaging.Target(topic="inventory")
    assert type(get_rpc_client(transport, target)) is RPCClient
    made = get_rpc_client(transport, target, Own, timeout=3)
    assert type(made) is Own
    assert made.prepare()._timeout_seconds == 3.0


def test_transport_conf_and_target(make: Any, transport: Any) -> None:
    client = make()
    assert (client.transport, client.conf) == (transport, transport.conf)
    assert (client.target.topic, client.target.version) == ("inventory", "1.2")


@each("cap", [None, "1.0", "1.2", "1.5", "2.0"])
@each("version", [None, "1.0", "1.3", "2.0"])
def test_versions_are_compared_as_in_oslo_messaging(make: Any, transport: Any, cap: Any, version: Any) -> None:
    theirs = oslo_messaging.get_rpc_client(
        transport, oslo_messaging.Target(topic="inventory", version="1.2"), version_cap=cap
    )
    client = make(version_cap=cap)
    for ours in (client, client.prepare(cell="east")):
        assert ours.can_send_version() is theirs.can_send_version()
        if version is not None:
            assert ours.can_send_version(version) is theirs.can_send_version(version)
            assert ours.can_send_version(version=version) is theirs.can_send_version(version=version)


@each(
    "where",
    [
        {"cell": "east", "cells": "down"},
        *({"cell": cell} for cell in (7, ["east"], b"east")),
        *({"cells": cells} for cells in ("sideways", "", 7, ["east", None])),
        *({"cells": "down", "need": need} for need in (0, -1, True, 1.0)),
    ],
    ids=str,
)
def test_invalid_cells_are_refused_before_a_call(make: Any, where: Any) -> None:
    with pytest.raises(exceptions.InvalidArguments, match=r"cell|need"):
        make().prepare(**where)


def test_prepare_does_not_change_its_client(make: Any) -> None:
    client = make()
    east = client.prepare(cell="east", version="1.1")
    names = ["a", "b"]
    many = client.prepare(cells=names, need=1)
    names.append("c")
    assert many._where.cells == ("a", "b")
    assert (east.target.version, client.target.version) == ("1.1", "1.2")
    assert client.prepare()._where.cell is None


def test_options_that_are_not_given_stay_and_none_is_a_value(make: Any) -> None:
    east = make().prepare(cell="east", topic="other", timeout=3)
    again = east.prepare(server="host-1")
    assert (again._where.cell, again.target.topic, again.target.server) == ("east", "other", "host-1")
    assert again._timeout_seconds == 3.0
    assert again.prepare(cell=None)._where.cell is None
    assert again.prepare(cell=None, cells="down")._where.cells == "down"
    with pytest.raises(exceptions.InvalidArguments):
        again.prepare(cells="down")


@pytest.mark.parametrize("version", ["new", "1"])
def test_an_invalid_version_is_refused_as_in_oslo_messaging(make: Any, version: str) -> None:
    with pytest.raises(oslo_messaging.MessagingException, match=r"[Vv]ersion"):
        make().prepare(cell="east", version=version)
