"""ServiceCalls: each request, also an invalid one, has one answer, which is a value."""

from __future__ import annotations

import queue
from concurrent import futures
from dataclasses import replace
from typing import Any

import oslo_messaging
import pytest

import cells.rpc.manager_client
from cells import exceptions, failure
from cells.counters import Counters
from cells.deadlines import shrink
from cells.manager import service_calls
from cells.manager.answer_streams import AnswerStreams
from cells.manager.held_requests import MAX_SECONDS, HeldRequests
from cells.manager.message_factory import OutgoingMessages
from cells.manager.requests import Requests
from cells.manager.service_calls import ServiceCalls
from cells.messages import Message, Response
from cells.neighbors import NeighborTable
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.topology import Topology
from cells.routing.reply import DELIVERED, Reply
from cells.routing.waiting_call import Monitor
from cells.services.request import WAIT_SECONDS, ServiceRequest
from cells.transport.server import AlreadyAnswered, LongAnswer
from cells.worker_threads import Runtime
from tests.cases import each

CONTEXT = {"user_id": "ada"}
REQUEST = ServiceRequest(topic="inventory", method="count").to_dict()
MONITORED = ServiceRequest(topic="inventory", method="count", monitor_seconds=3.0).to_dict()


class Network:
    """Stands for a router: keeps the messages until the test answers them."""

    def __init__(self) -> None:
        self.sent: list[tuple[Message, float, Monitor | None]] = []
        self.answers: list[futures.Future[Reply]] = []

    def send(self, message: Message, seconds: float, *, monitor: Monitor | None) -> futures.Future[Reply]:
        self.sent.append((message, seconds, monitor))
        self.answers.append(futures.Future())
        return self.answers[-1]

    def deliver(self, message: Message, seconds: float) -> futures.Future[Reply]:
        return self.send(message, seconds, monitor=None)

    def cast(self, message: Message) -> None:
        self.sent.append((message, 0.0, None))

    def answer(self, number: int, value: Any = None, error: Exception | None = None) -> None:
        self.answers[number].set_result(Reply(responses=(Response("api!east", value, error).encoded(),)))


class Picker:
    def __init__(self) -> None:
        self.asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.answer: futures.Future[Any] = futures.Future()

    def run(self, *arguments: Any, **options: Any) -> futures.Future[Any]:
        self.asked.put((arguments, options))
        return self.answer


class Manager:
    def __init__(self) -> None:
        self.network, self.picker, self.counters = Network(), Picker(), Counters()
        table = NeighborTable(300.0)
        rows = [Neighbor(name, f"memory://{name}", is_parent=False, driver="memory") for name in ("east", "west")]
        table.replace(rows)
        topology = Topology("api", table)
        self.streams = AnswerStreams(2)
        self.requests = requests = Requests(
            host="host-1",
            router=self.network,  # type: ignore[arg-type]  # stands for one
            outgoing=OutgoingMessages(topology=topology, table=table, counters=self.counters, max_hop_count=10),
            streams=self.streams,
            held=HeldRequests(topology, Runtime()),
        )
        self.calls = ServiceCalls(requests, self.picker)  # type: ignore[arg-type]  # stands for one


@pytest.fixture
def manager() -> Manager:
    return Manager()


def error_of(answer: Any) -> Exception:
    if isinstance(answer, futures.Future):
        answer = answer.result(0)
    assert list(answer) == ["error"]
    return failure.from_json(answer["error"], ["cells.exceptions"])


def test_a_call_is_a_message_with_fewer_seconds(manager: Manager) -> None:
    answer = manager.calls.call(CONTEXT, REQUEST, 10.0, "east", "the-id")
    ((message, seconds, monitor),) = manager.network.sent
    assert (message.method, message.id) == ("service_call", "the-id")
    assert (message.content().context, message.needs_response) == (CONTEXT, True)
    assert message.content().kwargs == {"request": REQUEST, "time_left": shrink(10.0)}
    assert (seconds, monitor) == (10.0, None)
    assert not answer.done()
    manager.network.answer(0, {"result": 42})
    assert answer.result(0) == {"result": 42}


@pytest.mark.parametrize(("accepts", "reply_to"), [(True, "id@reply_x"), (False, "")])
def test_a_cell_with_a_mailbox_asks_for_no_direct_reply(manager: Manager, accepts: bool, reply_to: str) -> None:
    requests = replace(manager.requests, accepts_direct_replies=accepts)
    message = requests.outgoing.targeted({}, "east", "ping", {}, needs_response=True)
    requests.call(message, 10.0, lambda reply: reply, client="id@reply_x")
    assert manager.network.sent[-1][0].reply_to == reply_to


@pytest.mark.parametrize("value", [{"failure": "text"}, {"result": None}, {"error": "{}"}])
def test_the_answer_of_a_service_is_passed_on_unread(manager: Manager, value: Any) -> None:
    answer = manager.calls.call(CONTEXT, REQUEST, 10.0, "east")
    manager.network.answer(0, value)
    assert answer.result(0) == value


@pytest.mark.parametrize("value", [None, 7, [], {}, {"value": 1}, "result"])
def test_a_malformed_answer_is_an_error(manager: Manager, value: Any) -> None:
    answer = manager.calls.call(CONTEXT, REQUEST, 10.0, "east")
    manager.network.answer(0, value)
    assert isinstance(error_of(answer), exceptions.MalformedMessage)


@pytest.mark.parametrize("texts", [[], ["no JSON"], ["{}"], ["{}", "{}"], [None], ["[" * 100_000]], ids=lambda _: "")
def test_an_unreadable_reply_is_an_error(manager: Manager, texts: Any) -> None:
    answers = [manager.calls.call(CONTEXT, REQUEST, 10.0, "east"), manager.calls.cast(CONTEXT, REQUEST, 10.0, "east")]
    for number, answer in enumerate(answers):
        manager.network.answers[number].set_result(Reply.from_wire(texts))
        assert isinstance(error_of(answer), exceptions.MalformedMessage)


def test_an_error_on_the_way_is_an_answer(manager: Manager) -> None:
    answer = manager.calls.call(CONTEXT, REQUEST, 10.0, "east")
    manager.network.answer(0, error=exceptions.ServiceNotAllowed("no", cell="east"))
    assert isinstance(error_of(answer), exceptions.ServiceNotAllowed)


@each("operation", ["call", "cast"])
@each(
    ("change", "kind"),
    [
        ({"cell": "nowhere"}, exceptions.CellNotFound),
        ({"cell": ""}, exceptions.CellsError),
        *(({"cell": cell}, exceptions.InvalidArguments) for cell in (None, 7, ["east"])),
        *((wrong, exceptions.InvalidArguments) for wrong in ({"request": None}, {"message_id": 7})),
        ({"cell": {"requires": 7}}, exceptions.CellsError),
        ({"cell": {}, "request": {}}, exceptions.MalformedMessage),
        ({"cell": {}, "timeout": "soon"}, exceptions.InvalidArguments),
    ],
    ids=str,
)
def test_an_invalid_request_is_answered_with_an_error(manager: Manager, operation: str, change: Any, kind: Any) -> None:
    asked = {"request": REQUEST, "timeout": 10.0, "cell": "east", **change}
    assert isinstance(error_of(getattr(manager.calls, operation)(CONTEXT, **asked)), kind)
    assert manager.network.sent == []


@each("timeout", [0, -1, None, "1", True, float("nan"), float("inf"), 1e308, 10**400], ids=lambda v: str(v)[:9])
def test_an_invalid_timeout_is_answered_with_an_error(manager: Manager, timeout: Any) -> None:
    assert isinstance(error_of(manager.calls.call(CONTEXT, REQUEST, timeout, "east")), exceptions.InvalidArguments)
    assert isinstance(
        error_of(manager.calls.multicall_start(CONTEXT, REQUEST, ["east"], timeout)), exceptions.CellsError
    )
    assert len(manager.streams) == 0


@each("seconds", [0, -1, "1", True, float("nan"), 1e308, 10**400], ids=lambda value: str(value)[:9])
def test_an_invalid_monitor_timeout_is_answered_with_an_error(manager: Manager, seconds: Any) -> None:
    request = {**REQUEST, "monitor_seconds": seconds}
    assert isinstance(error_of(manager.calls.call(CONTEXT, request, 5.0, "east")), exceptions.MalformedMessage)


def test_a_heartbeat_of_the_far_cell_reaches_the_client(manager: Manager) -> None:
    answer = manager.calls.call(CONTEXT, MONITORED, 60.0, "east")
    ((_, _, monitor),) = manager.network.sent
    assert monitor is not None
    assert monitor.silence_seconds == 3.0
    assert isinstance(answer, LongAnswer)
    signs: list[None] = []
    answer.call_when_still_working(lambda: signs.append(None))
    assert monitor.on_still_working is not None
    monitor.on_still_working()
    assert len(signs) == 1
    manager.network.answer(0, {"result": 1})
    monitor.on_still_working()
    assert len(signs) == 1, "a heartbeat after the answer"


def call_from(manager: Manager, client: str, monkeypatch: pytest.MonkeyPatch, **request: Any) -> futures.Future[Any]:
    """Call for a client with the reply address ``client``, or with none."""
    monkeypatch.setattr(service_calls, "reply_to", lambda: client)
    return manager.calls.call({}, {**REQUEST, **request}, 10.0, "east")


@pytest.mark.parametrize("client", ["", "4f2a@reply_1"])
def test_a_client_that_has_its_answer_gets_no_reply(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    answer = call_from(manager, client, monkeypatch)
    assert manager.network.sent[0][0].reply_to == client
    manager.network.answers[0].set_result(DELIVERED)
    if client:
        assert isinstance(answer.exception(0), AlreadyAnswered)
    else:
        # No cell can have answered it directly.
        assert isinstance(error_of(answer), exceptions.MalformedMessage)


def test_a_client_that_could_not_be_answered_directly_gets_a_reply(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = call_from(manager, "4f2a@reply_1", monkeypatch)
    manager.network.answer(0, {"result": 1})
    assert answer.result(0) == {"result": 1}
    empty = call_from(manager, "4f2a@reply_1", monkeypatch)
    manager.network.answers[1].set_result(Reply())
    assert isinstance(error_of(empty), exceptions.MalformedMessage)


def test_a_monitored_call_is_not_answered_directly(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    call_from(manager, "4f2a@reply_1", monkeypatch, monitor_seconds=5)
    assert manager.network.sent[0][0].reply_to == ""


def test_a_multicall_is_not_answered_directly(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_calls, "reply_to", lambda: "4f2a@reply_1")
    manager.calls.multicall_start({}, REQUEST, ["east", "west"], 10.0)
    assert [message.reply_to for message, _, _ in manager.network.sent] == ["", ""]


def test_a_cast_is_answered_after_it_is_sent(manager: Manager) -> None:
    answer = manager.calls.cast(CONTEXT, REQUEST, 10.0, "east", "the-id")
    ((message, _, _),) = manager.network.sent
    assert (message.method, message.id, message.needs_response) == ("service_cast", "the-id", False)
    assert not answer.done()
    manager.network.answer(0)
    assert answer.result(0) == {"result": None}


@pytest.mark.parametrize("operation", ["call", "cast"])
def test_requests_with_requirements_go_to_the_picker(manager: Manager, operation: str) -> None:
    answer = getattr(manager.calls, operation)(CONTEXT, REQUEST, 10.0, {"requires": {"hypervisor": "kvm"}})
    (kind, requirements, request), options = manager.picker.asked.get(timeout=10)
    assert requirements.to_dict()["requires"]
    assert (kind, str(request)) == (operation, "inventory:count")
    assert options.pop("still_working")
    assert options == {"context": CONTEXT, "timeout_seconds": 10.0, "neighbor": ""}
    manager.picker.answer.set_exception(exceptions.NoCellsAvailable("none", reasons={"east": "full"}))
    error = error_of(answer)
    assert isinstance(error, exceptions.NoCellsAvailable)
    assert error.reasons == {"east": "full"}


def test_the_answer_of_the_picker_is_the_answer(manager: Manager) -> None:
    answer = manager.calls.call(CONTEXT, REQUEST, 10.0, {})
    manager.picker.answer.set_result({"result": 1})
    assert answer.result(0) == {"result": 1}


def test_a_broadcast_below_is_one_message(manager: Manager) -> None:
    assert manager.calls.broadcast(CONTEXT, REQUEST, "down").result(0) == {"result": []}
    ((message, _, _),) = manager.network.sent
    assert (message.message_type, message.method) == ("broadcast", "service_cast")
    assert message.content().kwargs == {"request": REQUEST}


def test_casts_wait_no_longer_than_their_callers(manager: Manager) -> None:
    manager.calls.cast(CONTEXT, REQUEST, 7.0, "east")
    manager.calls.broadcast(CONTEXT, REQUEST | {WAIT_SECONDS: 5.0}, ["east"], "event")
    manager.calls.broadcast(CONTEXT, REQUEST, ["west"])
    cast, event, of_an_older_client = manager.network.sent
    assert (cast[1], event[1], of_an_older_client[1]) == (7.0, 5.0, MAX_SECONDS)
    # The key is for this manager alone.
    assert event[0].content().kwargs == {"request": REQUEST}
    invalid = manager.calls.broadcast(CONTEXT, REQUEST | {WAIT_SECONDS: "soon"}, ["east"]).result(0)["result"]
    assert isinstance(error_of(invalid[0][1]), exceptions.InvalidArguments)


def test_a_broadcast_to_a_list_has_an_answer_for_each_cell(manager: Manager) -> None:
    answer = manager.calls.broadcast(CONTEXT, REQUEST, ["east", "nowhere", "east"], "event")
    ((message, _, _),) = manager.network.sent
    assert message.method == "service_event"
    assert not answer.done()
    manager.network.answer(0)
    (east, nowhere) = answer.result(0)["result"]
    assert east == ("east", {"result": None})
    assert nowhere[0] == "nowhere"
    assert isinstance(error_of(nowhere[1]), exceptions.CellNotFound)
    assert manager.calls.broadcast(CONTEXT, REQUEST, []).result(0) == {"result": []}


@each(
    ("cells_", "what"),
    [
        *((cells_, "cast") for cells_ in ("sideways", "", None, [7], [["east"]], [{}], {"a": 1})),
        *(("down", what) for what in ("call", 7)),
    ],
)
def test_an_invalid_broadcast_is_answered_with_an_error(manager: Manager, cells_: Any, what: Any) -> None:
    assert isinstance(error_of(manager.calls.broadcast(CONTEXT, REQUEST, cells_, what)), exceptions.InvalidArguments)
    assert manager.network.sent == []


def test_a_multicall_is_a_call_of_each(manager: Manager) -> None:
    started = manager.calls.multicall_start(CONTEXT, REQUEST, ["east", "nowhere", "west"], 10.0)["result"]
    assert (started["server"], started["cells"]) == ("host-1", ["east", "nowhere", "west"])
    assert [str(message.header.target) for message, _, _ in manager.network.sent] == ["api!east", "api!west"]  # type: ignore[attr-defined]
    first = manager.calls.multicall_next(CONTEXT, started["id"]).result(0)["result"]
    assert [cell for cell, _ in first["answers"]] == ["nowhere"]
    rest = manager.calls.multicall_next(CONTEXT, started["id"])
    manager.network.answer(1, {"result": 1})
    assert rest.result(0)["result"] == {"answers": [("west", {"result": 1})], "is_complete": False}
    manager.network.answer(0, 7)
    last = manager.calls.multicall_next(CONTEXT, started["id"]).result(0)["result"]
    assert last["is_complete"]
    assert isinstance(error_of(last["answers"][0][1]), exceptions.MalformedMessage)
    assert isinstance(error_of(manager.calls.multicall_next(CONTEXT, started["id"])), exceptions.InvalidArguments)


def test_a_stopped_or_unknown_multicall_is_an_error(manager: Manager) -> None:
    started = manager.calls.multicall_start(CONTEXT, REQUEST, "down", 10.0)["result"]
    assert manager.calls.multicall_stop(CONTEXT, started["id"]) is None
    assert manager.calls.multicall_stop(CONTEXT, "unknown") is None
    assert isinstance(error_of(manager.calls.multicall_next(CONTEXT, started["id"])), exceptions.InvalidArguments)
    assert isinstance(error_of(manager.calls.multicall_next(CONTEXT, ["no", "id"])), exceptions.InvalidArguments)  # type: ignore[arg-type]


def test_too_many_multicalls_are_refused_before_anything_is_sent(manager: Manager) -> None:
    for _ in range(2):
        manager.calls.multicall_start(CONTEXT, REQUEST, ["east"], 10.0)
    refused = manager.calls.multicall_start(CONTEXT, REQUEST, ["west"], 10.0)
    assert isinstance(error_of(refused), exceptions.ManagerBusy)
    assert len(manager.network.sent) == 2


def test_refusals_are_counted(manager: Manager) -> None:
    manager.calls.call(CONTEXT, REQUEST, 10.0, "nowhere")
    manager.calls.multicall_start(CONTEXT, REQUEST, "sideways", 10.0)
    assert manager.counters.as_dict() == {"refused.CellNotFound": 1, "refused.InvalidArguments": 1}


def test_client_and_manager_have_the_same_namespace_and_version() -> None:
    assert (service_calls.NAMESPACE, service_calls.VERSION) == (
        cells.rpc.manager_client.NAMESPACE,
        cells.rpc.manager_client.VERSION,
    )
    assert ServiceCalls.target == oslo_messaging.Target(namespace="services", version="1.0")
