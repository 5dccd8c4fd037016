"""A server that answers later: a client hears that its call runs, until it has its answer."""

from __future__ import annotations

from concurrent import futures
from typing import Any

import pytest

from cells import exceptions
from cells.transport.server import AlreadyAnswered, DirectRPCServer, LongAnswer, reply_to


class Incoming:
    """A message, and what was said to its client."""

    replies_at_once = True

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.problem: Exception | None = None

    def acknowledge(self) -> None:
        self.said.append("ack")

    def heartbeat(self) -> None:
        self._say("beat")

    def reply(self, value: Any = None, failure: Any = None) -> None:
        self._say(value if failure is None else failure[1])

    def _say(self, what: Any) -> None:
        if self.problem is not None:
            raise self.problem
        self.said.append(what)


class Dispatcher:
    def __init__(self, result: Any) -> None:
        self.result = result

    def dispatch(self, _: Any) -> Any:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def take(result: Any, incoming: Incoming) -> None:
    """Have a server take a message whose endpoint returns, or raises, ``result``."""
    server = DirectRPCServer.__new__(DirectRPCServer)
    server.dispatcher = Dispatcher(result)
    server._process_incoming([incoming])


@pytest.fixture
def incoming() -> Incoming:
    return Incoming()


def test_signs_go_to_the_client_until_it_has_its_answer(incoming: Incoming) -> None:
    answer: LongAnswer[int] = LongAnswer()
    answer.still_working()
    take(answer, incoming)
    for _ in range(2):
        answer.still_working()
    answer.set_result(42)
    answer.still_working()
    assert incoming.said == ["ack", "beat", "beat", 42]


def test_an_answer_that_is_there_already_is_sent_at_once(incoming: Incoming) -> None:
    answer: LongAnswer[int] = LongAnswer()
    answer.set_result(42)
    take(answer, incoming)
    assert incoming.said == ["ack", 42]


def test_an_answer_that_tells_nothing_on_its_way(incoming: Incoming) -> None:
    answer: futures.Future[int] = futures.Future()
    take(answer, incoming)
    assert incoming.said == ["ack"]
    answer.set_exception(exceptions.CellNotFound("no"))
    assert isinstance(incoming.said[1], exceptions.CellNotFound)


def test_a_client_that_is_gone_is_no_error(incoming: Incoming, caplog: pytest.LogCaptureFixture) -> None:
    answer: LongAnswer[int] = LongAnswer()
    take(answer, incoming)
    incoming.problem = OSError("gone")
    answer.still_working()
    answer.set_result(42)
    assert incoming.said == ["ack"]
    assert "A reply could not be sent: OSError: gone" in caplog.text


def test_what_a_method_raises_or_returns_is_sent_at_once(incoming: Incoming) -> None:
    take("value", incoming)
    take(exceptions.CellNotFound("no"), incoming)
    assert incoming.said[1] == "value"
    assert isinstance(incoming.said[3], exceptions.CellNotFound)


def test_a_client_that_has_its_answer_is_sent_none(incoming: Incoming) -> None:
    answer: LongAnswer[object] = LongAnswer()
    take(answer, incoming)
    answer.set_exception(AlreadyAnswered())
    take(AlreadyAnswered(), incoming)
    assert incoming.said == ["ack", "ack"]


class FromRabbit(Incoming):
    """A message as the driver for RabbitMQ makes it."""

    def __init__(self, queue: str | None, client_timeout: float | None) -> None:
        super().__init__()
        self.msg_id, self.reply_q, self.client_timeout = "4f2a", queue, client_timeout


def test_who_asks_can_be_answered_by_others_if_it_waits_on_a_queue() -> None:
    seen = []

    class Noting(Dispatcher):
        def dispatch(self, _: Any) -> Any:
            seen.append(reply_to())

    for message in (
        FromRabbit("reply_1", None),
        Incoming(),  # of another driver
        FromRabbit("reply_1", 2.0),  # it has to be told that its call still runs
        FromRabbit(None, None),  # a cast
    ):
        server = DirectRPCServer.__new__(DirectRPCServer)
        server.dispatcher = Noting(None)
        server._process_incoming([message])
    assert seen == ["4f2a@reply_1", "", "", ""]
