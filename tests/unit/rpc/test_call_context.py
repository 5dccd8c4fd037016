"""CallContext: the requests to the manager, and the values and errors of its answers."""

from __future__ import annotations

import json
from typing import Any

import oslo_messaging
import pytest

from cells import exceptions
from cells.deadlines import shrink
from cells.rpc import MessageDeliveryFailure, RPCClient, Timeout, any_cell
from cells.rpc import call_context as module
from cells.rpc.manager_client import ManagerClient
from cells.services import answers
from cells.services.request import ServiceRequest

UNREACHABLE = answers.of_error(exceptions.NeighborUnreachable("away", cell="east"))
BUSY = answers.of_error(exceptions.NeighborBusy("full", cell="east"))


class Serializer(oslo_messaging.Serializer):  # type: ignore[misc]  # oslo.messaging has no types
    """Marks the values that it converts."""

    def serialize_context(self, ctxt: Any) -> Any:
        return {"serialized": ctxt}

    def deserialize_context(self, ctxt: Any) -> Any:
        return ctxt["serialized"]

    def serialize_entity(self, ctxt: Any, entity: Any) -> Any:
        return {"sent": entity}

    def deserialize_entity(self, ctxt: Any, entity: Any) -> Any:
        if entity == "unreadable":
            raise ValueError("of a later version")
        return ("came", entity)


class Manager:
    """Records the requests and returns the given answers, the last one repeatedly."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, str, dict[str, Any], dict[str, Any]]] = []
        self.answers: list[Any] = [{"result": None}]

    def ask(self, ctxt: Any, operation: str, arguments: Any, **options: Any) -> Any:
        self.asked.append((ctxt, operation, arguments, options))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tell(self, *_: Any) -> None:
        """Ignore the cast."""


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    manager = Manager()
    for name in ("ask", "tell"):
        monkeypatch.setattr(
            ManagerClient, name, lambda _, *args, name=name, **kwargs: getattr(manager, name)(*args, **kwargs)
        )
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.0001)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.0002)
    return manager


@pytest.fixture
def client(transport: Any, manager: Manager) -> Any:
    return RPCClient(transport, oslo_messaging.Target(topic="inventory", version="1.2"), timeout=20)


def test_a_call_sends_all_fields_of_the_target(client: Any, manager: Manager) -> None:
    manager.answers = [{"result": 42}]
    prepared = client.prepare(
        exchange="warehouse",
        namespace="admin",
        server="host-1",
        call_monitor_timeout=5,
        retry=3,
        transport_options=oslo_messaging.TransportOptions(at_least_once=True),
        cell="api!east",
    )
    assert prepared.call({"user_id": "ada"}, "count", kind="disk") == 42
    ((ctxt, operation, arguments, options),) = manager.asked
    assert (ctxt, operation) == ({"user_id": "ada"}, "call")
    assert arguments["cell"] == "api!east"
    assert ServiceRequest.from_dict(arguments["request"]) == ServiceRequest(
        topic="inventory",
        method="count",
        args={"kind": "disk"},
        exchange="warehouse",
        namespace="admin",
        version="1.2",
        server="host-1",
        monitor_seconds=5.0,
        at_least_once=True,
    )
    assert arguments["timeout"] == pytest.approx(shrink(20.0), abs=1.0)
    assert options["timeout_seconds"] > arguments["timeout"], "The manager has to answer before its client gives up"
    assert (options["retry"], options["monitor_seconds"]) == (3, 5 + module.MONITOR_GRACE_SECONDS)


def test_the_default_exchange_is_the_exchange_of_the_caller(client: Any, manager: Manager, transport: Any) -> None:
    client.prepare(cell="east").cast({}, "count")
    assert manager.asked[0][2]["request"]["target"]["exchange"] == transport.conf.control_exchange


def test_an_entity_is_serialized_once_in_each_direction(transport: Any, manager: Manager) -> None:
    target = oslo_messaging.Target(topic="inventory")
    client = RPCClient(transport, target, serializer=Serializer(), timeout=20).prepare(cell="east")
    manager.answers = [{"result": 7}]
    assert client.call({"user_id": "ada"}, "count", kind="disk") == ("came", 7)
    ((ctxt, _, arguments, _),) = manager.asked
    assert ctxt == {"serialized": {"user_id": "ada"}}
    assert ServiceRequest.from_dict(arguments["request"]).args == {"kind": {"sent": "disk"}}


def test_an_entity_that_the_serializer_refuses_is_an_error_of_its_cell_alone(transport: Any, manager: Manager) -> None:
    target = oslo_messaging.Target(topic="inventory")
    client = RPCClient(transport, target, serializer=Serializer(), timeout=20)
    manager.answers = [{"result": "unreadable"}]
    with pytest.raises(ValueError, match="later version"):
        client.prepare(cell="east").call({}, "count")
    came = [["east", {"result": "unreadable"}], ["west", {"result": 1}]]
    manager.answers = [
        {"result": {"id": "the-id", "server": "host-1", "cells": ["east", "west"]}},
        {"result": {"answers": came, "is_complete": True}},
    ]
    (east, error), (west, value) = client.prepare(cells=["east", "west"]).multicall({}, "count")
    assert (east, west, value) == ("east", "west", ("came", 1))
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("answer", [UNREACHABLE, BUSY])
def test_an_unsent_message_is_repeated_with_the_same_id(client: Any, manager: Manager, answer: Any) -> None:
    manager.answers = [answer, answer, {"result": 1}]
    assert client.prepare(cell="east").call({}, "count") == 1
    assert len({arguments["message_id"] for _, _, arguments, _ in manager.asked}) == 1
    left = [arguments["timeout"] for _, _, arguments, _ in manager.asked]
    assert left == sorted(left, reverse=True)


def test_each_call_has_its_own_message_id(client: Any, manager: Manager) -> None:
    for _ in range(2):
        client.prepare(cell="east").call({}, "count")
    assert len({arguments["message_id"] for _, _, arguments, _ in manager.asked}) == 2


@pytest.mark.parametrize("retry", [0, 1, 3])
def test_a_message_is_repeated_retry_times(client: Any, manager: Manager, retry: int) -> None:
    manager.answers = [UNREACHABLE]
    for ask in (client.prepare(cell="east", retry=retry).call, client.prepare(cell="east", retry=retry).cast):
        manager.asked.clear()
        with pytest.raises(MessageDeliveryFailure, match="away"):
            ask({}, "count")
        assert len(manager.asked) == retry + 1


@pytest.mark.parametrize("retry", [None, -1])
def test_without_a_limit_a_message_is_repeated_until_the_timeout(client: Any, manager: Manager, retry: Any) -> None:
    manager.answers = [*[UNREACHABLE] * 5, {"result": 42}]
    assert client.prepare(cell="east", retry=retry).call({}, "count") == 42
    manager.answers = [UNREACHABLE]
    with pytest.raises(MessageDeliveryFailure):
        client.prepare(cell="east", retry=retry, timeout=0.05).call({}, "count")


def test_a_short_last_attempt_does_not_hide_the_error_before_it(client: Any, manager: Manager) -> None:
    manager.answers = [UNREACHABLE, Timeout("The manager of this cell did not answer.")]
    with pytest.raises(Timeout, match="away"):
        client.prepare(cell="east").call({}, "count")


@pytest.mark.parametrize(
    "error",
    [
        exceptions.CellTimeout("late"),
        exceptions.ServiceTimeout("late"),
        exceptions.ServiceUnreachable("away"),
        exceptions.NeighborUnreachable("it hangs", may_arrive=True),
        exceptions.ServiceNotAllowed("no"),
        exceptions.CellNotFound("no"),
        exceptions.ManagerStopping("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_message_that_may_have_run_or_never_will_is_not_repeated(client: Any, manager: Manager, error: Any) -> None:
    manager.answers = [answers.of_error(error)]
    with pytest.raises(exceptions.CellsError):
        client.prepare(cell="east").call({}, "count")
    assert len(manager.asked) == 1


def test_a_failure_of_the_service_is_not_repeated(client: Any, manager: Manager) -> None:
    text = json.dumps({"class": "NeighborUnreachable", "module": "cells.exceptions", "message": "m", "args": []})
    manager.answers = [{"failure": text}]
    with pytest.raises(oslo_messaging.RemoteError):
        client.prepare(cell="east").call({}, "count")
    assert len(manager.asked) == 1


def test_a_translated_error_keeps_its_cause(client: Any, manager: Manager) -> None:
    manager.answers = [answers.of_error(exceptions.CellTimeout("late", cell="east"))]
    with pytest.raises(Timeout, match="late") as caught:
        client.prepare(cell="east").call({}, "count")
    assert caught.value.cell == "east"
    assert isinstance(caught.value.__cause__, exceptions.CellTimeout)


@pytest.mark.parametrize("timeout", [0, -1, -0.5])
def test_a_timeout_of_zero_or_less_raises_at_once(client: Any, manager: Manager, timeout: float) -> None:
    prepared = client.prepare(cell="east", timeout=timeout)
    for ask in (prepared.call, prepared.cast, prepared.prepare(cell=None, cells="down").multicall):
        with pytest.raises(Timeout, match=f"timeout={timeout}"):
            ask({}, "count")
    assert manager.asked == []


def test_a_tiny_timeout_is_sent(client: Any, manager: Manager) -> None:
    client.prepare(cell="east", timeout=1e-9).call({}, "count")
    assert manager.asked[0][2]["timeout"] > 0


@pytest.mark.parametrize(
    "options", [{"timeout": "abc"}, {"call_monitor_timeout": "5"}, {"retry": "x"}, {"retry": True}]
)
def test_options_that_are_no_numbers_are_refused(client: Any, manager: Manager, options: dict[str, Any]) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="number"):
        client.prepare(cell="east", **options).call({}, "count")
    assert manager.asked == []


@pytest.mark.parametrize("options", [{"server": "a"}, {"fanout": True}])
def test_an_event_with_a_server_or_fanout_is_refused(client: Any, manager: Manager, options: dict[str, Any]) -> None:
    with pytest.raises(exceptions.InvalidArguments, match=r"server= and fanout="):
        client.prepare(cells="down", **options).broadcast({}, "changed")
    assert manager.asked == []


def test_an_argument_without_a_json_form_is_reported_with_its_method(client: Any) -> None:
    with pytest.raises(exceptions.InvalidArguments, match=r"inventory:count.*serializer"):
        client.prepare(cell="east").call({}, "count", kind=float("nan"))


def test_requirements_travel_as_json(client: Any, manager: Manager) -> None:
    client.prepare(cell=any_cell(requires={"hypervisor": "kvm"})).call({}, "count")
    sent = manager.asked[0][2]["cell"]
    assert json.loads(json.dumps(sent)) == sent
    assert "kvm" in json.dumps(sent)


def test_invalid_requests_never_reach_the_manager(client: Any, manager: Manager) -> None:
    east, down = client.prepare(cell="east"), client.prepare(cells="down")
    for ask in (east.prepare(fanout=True).call, down.prepare(fanout=True).multicall):
        with pytest.raises(oslo_messaging.InvalidTarget):
            ask({}, "count")
    for prepared in (east, down):
        capped = prepared.prepare(version="1.3", version_cap="1.2")
        for ask in (capped.cast, capped.broadcast, capped.multicall if prepared is down else capped.call):
            with pytest.raises(oslo_messaging.RPCVersionCapError):
                ask({}, "count")
    with pytest.raises(exceptions.InvalidArguments):
        east.call({}, "count", kind=float("nan"))
    for ask in (client.broadcast, client.prepare(cell=any_cell()).broadcast, client.multicall, east.multicall):
        with pytest.raises(exceptions.InvalidArguments, match="prepare"):
            ask({}, "count")
    assert manager.asked == []


def test_a_cast_to_many_cells_names_the_cells_that_did_not_get_it(client: Any, manager: Manager) -> None:
    manager.answers = [{"result": [["east", UNREACHABLE], ["west", {"result": None}]]}]
    with pytest.raises(MessageDeliveryFailure, match="away"):
        client.prepare(cells=["east", "west"]).cast({}, "count")
    manager.answers = [{"result": [["east", UNREACHABLE], ["west", BUSY], ["south", {"result": None}]]}]
    with pytest.raises(MessageDeliveryFailure, match=r"2 of 3 cells .*: east: away; west: full"):
        client.prepare(cells=["east", "west", "south"]).broadcast({}, "count")
    assert [arguments["what"] for _, _, arguments, _ in manager.asked] == ["cast", "event"]
    manager.answers = [answers.of_error(exceptions.InvalidArguments("no"))]
    with pytest.raises(exceptions.InvalidArguments):
        client.prepare(cells="down").cast({}, "count")
