"""A server that replies later: its client gets heartbeats until it gets the reply."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging.rpc.server import RPCServer

from cells import conf as cells_conf
from cells import exceptions
from cells.transport import request_ids
from cells.transport.opening import register_options
from cells.transport.patches.direct_replies import DIRECT_REPLIES
from cells.transport.server import (
    AlreadyAnswered,
    CastServer,
    DirectRPCServer,
    LongAnswer,
    PromptServer,
    get_server,
    reply_to,
)
from tools.polling import poll


class Incoming:
    """A request, and the messages that its client gets."""

    msg_id = "4f2a"
    replies_at_once = True
    client_timeout: float | None = None
    ctxt: dict[str, Any] = {}  # noqa: RUF012  # no test changes it
    message = {"method": "run", "args": {}}  # noqa: RUF012  # no test changes it

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.problem: Exception | None = None

    def acknowledge(self) -> None:
        self.sent.append("ack")

    def heartbeat(self) -> None:
        self._send("heartbeat")

    def reply(self, value: Any = None, failure: Any = None) -> None:
        self._send(value if failure is None else failure[1])

    def _send(self, sent: Any) -> None:
        if self.problem is not None:
            raise self.problem
        self.sent.append(sent)


class Transport:
    """A transport, and its listener, on which a test delivers requests."""

    def __init__(self) -> None:
        self.conf = cells_conf.load([])
        register_options(self.conf)
        self.deliver: Callable[[list[Any]], None]

    def _require_driver_features(self, **_: Any) -> None:
        """Called by the library."""

    def _listen(self, *_: Any) -> Transport:
        """Called by the library when the server starts."""
        return self

    def start(self, on_incoming: Callable[[list[Any]], None]) -> None:
        self.deliver = on_incoming


class Endpoint:
    def __init__(self, result: Any) -> None:
        self._result = result

    def run(self, ctxt: dict[str, Any]) -> Any:
        result = self._result() if callable(self._result) else self._result
        if isinstance(result, BaseException):
            raise result
        return result


class Hostile(Exception):
    """Error whose text cannot be read."""

    def __str__(self) -> str:
        raise SystemExit("str")


def serve(result: Any, *incoming: Incoming, server_class: type[RPCServer] = DirectRPCServer) -> None:
    """Deliver requests to a server whose endpoint returns, or raises, ``result``."""
    transport = Transport()
    target = oslo_messaging.Target(topic="cells", server="host")
    get_server(transport, target, [Endpoint(result)], server_class).start()
    for message in incoming:
        transport.deliver([message])


@pytest.fixture
def incoming() -> Incoming:
    return Incoming()


def test_the_client_gets_heartbeats_until_it_gets_the_reply(incoming: Incoming) -> None:
    answer: LongAnswer[int] = LongAnswer()
    answer.still_working()
    serve(answer, incoming)
    for _ in range(2):
        answer.still_working()
    answer.set_result(42)
    answer.still_working()
    assert incoming.sent == ["ack", "heartbeat", "heartbeat", 42]


def test_a_finished_answer_is_sent_at_once(incoming: Incoming) -> None:
    answer: LongAnswer[int] = LongAnswer()
    answer.set_result(42)
    serve(answer, incoming)
    assert incoming.sent == ["ack", 42]


def test_an_answer_without_heartbeats(incoming: Incoming) -> None:
    answer: futures.Future[int] = futures.Future()
    serve(answer, incoming)
    assert incoming.sent == ["ack"]
    answer.set_exception(exceptions.CellNotFound("no"))
    assert isinstance(incoming.sent[1], exceptions.CellNotFound)


def test_a_client_that_has_stopped_is_no_error(incoming: Incoming, caplog: pytest.LogCaptureFixture) -> None:
    answer: LongAnswer[int] = LongAnswer()
    serve(answer, incoming)
    incoming.problem = OSError("gone")
    answer.still_working()
    answer.set_result(42)
    assert incoming.sent == ["ack"]
    assert "OSError: gone" in caplog.text


def test_a_value_or_an_error_of_a_method_is_sent_at_once(incoming: Incoming) -> None:
    serve("value", incoming)
    serve(exceptions.CellNotFound("no"), incoming)
    assert incoming.sent[1] == "value"
    assert isinstance(incoming.sent[3], exceptions.CellNotFound)


@pytest.mark.parametrize("server_class", [DirectRPCServer, PromptServer])
@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), Hostile(), ValueError(Hostile())],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_method_raises_is_an_error_of_its_caller_at_once(
    incoming: Incoming, server_class: type[RPCServer], error: BaseException
) -> None:
    """(case F1)"""
    serve(error, incoming, server_class=server_class)
    poll(lambda: len(incoming.sent) > 1, "the caller gets a reply")
    assert isinstance(incoming.sent[1], Exception)
    assert type(error).__name__ in str(incoming.sent[1]) or incoming.sent[1] is error


class Unencodable(Incoming):
    """A request whose driver refuses an object as its result."""

    def _send(self, sent: Any) -> None:
        if type(sent) is object:
            raise ValueError("no JSON")
        super()._send(sent)


def test_a_result_without_a_json_form_is_an_error_at_once() -> None:
    """(case F2)"""
    incoming = Unencodable()
    serve(object(), incoming, server_class=PromptServer)
    poll(lambda: len(incoming.sent) > 1, "the caller gets a reply")
    assert isinstance(incoming.sent[1], ValueError)


def test_a_client_that_has_its_reply_already_gets_none(incoming: Incoming) -> None:
    answer: LongAnswer[object] = LongAnswer()
    serve(answer, incoming)
    answer.set_exception(AlreadyAnswered())
    serve(AlreadyAnswered(), incoming)
    assert incoming.sent == ["ack", "ack"]


@pytest.mark.parametrize("result", ["value", exceptions.CellNotFound("no")], ids=["value", "error"])
def test_a_server_of_casts_never_replies(incoming: Incoming, result: object) -> None:
    serve(result, incoming, server_class=CastServer)
    assert incoming.sent == ["ack"]


class FromRabbit(Incoming):
    """A request as the driver for RabbitMQ represents it."""

    def __init__(self, queue: str | None, client_timeout: float | None, unique_id: str = "") -> None:
        super().__init__()
        self.unique_id = unique_id
        self.msg_id, self.reply_q, self.client_timeout = "4f2a", queue, client_timeout


def test_the_messages_of_a_request_have_the_same_ids_in_each_manager() -> None:
    copies = [FromRabbit(None, None, "a1"), FromRabbit(None, None, "a1"), FromRabbit(None, None, "b2"), Incoming()]
    found: list[list[str | None]] = []
    serve(lambda: found.append([request_ids.next_id(), request_ids.next_id()]), *copies)
    first, second, other, without = found
    assert first == second
    assert len({*first, *other}) == 4
    assert without == [None, None]
    assert request_ids.next_id() is None


@pytest.mark.parametrize("is_disabled", [False, True])
def test_direct_replies_need_a_queue_and_no_heartbeats(monkeypatch: pytest.MonkeyPatch, is_disabled: bool) -> None:
    monkeypatch.setattr(DIRECT_REPLIES, "is_disabled", is_disabled)
    addresses: list[str] = []
    serve(
        lambda: addresses.append(reply_to()),
        FromRabbit("reply_1", None),
        Incoming(),  # of another driver
        FromRabbit("reply_1", 2.0),  # its client needs the heartbeats of this server
        FromRabbit(None, None),  # a cast
    )
    assert addresses == ["" if is_disabled else "4f2a@reply_1", "", "", ""]
