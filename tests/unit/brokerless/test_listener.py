"""Messages as an oslo.messaging server gets them, and the answers that the client gets."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from oslo_messaging._drivers import common as rpc_common

from cells.brokerless import frames
from cells.brokerless.inbox import DirectInbox
from cells.brokerless.listener import DirectListener, Incoming, PolledListener
from cells.brokerless.server import Delivery
from tests.cases import each
from tests.unit.brokerless.serving import WAIT_SECONDS, Connect, RawClient, ServingProcess, ended, on_thread
from tools.polling import poll

KEY = "openstack~cells"
LIMIT = 5000
Inbox = DirectInbox[Delivery]
BODY = frames.encode({"context": {"user": "u"}, "message": {"method": "m"}, "monitor_seconds": 7})


class Serving:
    """A polled listener behind a socket."""

    def __init__(self, process: ServingProcess) -> None:
        self.inbox = process.queue(KEY)
        self.stopped = 0
        self.listener = PolledListener(self.inbox, LIMIT, self._stop)

    def _stop(self) -> None:
        self.stopped += 1

    def next(self) -> Incoming:
        (incoming,) = self.listener.poll(timeout=WAIT_SECONDS)
        assert isinstance(incoming, Incoming)
        return incoming


@pytest.fixture
def serving(process: ServingProcess) -> Serving:
    return Serving(process)


@pytest.fixture
def incoming(serving: Serving, raw_client: RawClient) -> Incoming:
    """A call that has arrived."""
    raw_client.request(KEY, BODY)
    return serving.next()


def failure(client: RawClient) -> Any:
    answer = client.answer()
    assert answer.kind == frames.FAILURE
    return json.loads(answer.body)


def caught(error: Exception) -> tuple[type, Exception, Any]:
    return type(error), error, error.__traceback__


def test_message_is_unchanged(incoming: Incoming) -> None:
    assert (incoming.ctxt, incoming.message, incoming.client_timeout) == ({"user": "u"}, {"method": "m"}, 7)
    assert incoming.msg_id == "1"


@each("result", [None, 0, "Größe", [1, {"a": None}]])
def test_result_arrives(serving: Serving, raw_client: RawClient, result: object) -> None:
    raw_client.request(KEY, BODY)
    serving.next().reply(result)

    answer = raw_client.answer()
    assert (answer.kind, frames.decode(answer.body)) == (frames.REPLY, result)


def test_failure_arrives(incoming: Incoming, raw_client: RawClient) -> None:
    incoming.reply(failure=caught(KeyError("a", 1)))
    sent = failure(raw_client)
    assert (sent["class"], sent["args"]) == ("KeyError", ["a", 1])
    rebuilt = rpc_common.deserialize_remote_exception(json.dumps(sent), ["builtins"])
    assert isinstance(rebuilt, KeyError)


class Unreadable:
    """Raises an error at every access."""

    def __iter__(self) -> Any:
        raise ZeroDivisionError("unreadable")

    items = iteritems = __iter__


def nested() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "result",
    [{(1, 2): 3}, nested(), Unreadable(), "x" * LIMIT, {"a": [float("inf")] * 2000}],
    ids=["keys", "depth", "object", "size", "numbers"],
)
def test_result_that_cannot_be_sent_is_a_failure(incoming: Incoming, raw_client: RawClient, result: object) -> None:
    incoming.reply(result)
    assert failure(raw_client)["class"] in ("TypeError", "ValueError", "RecursionError", "ZeroDivisionError")


@pytest.mark.parametrize(
    "error", [ValueError({(1, 2): 3}), ValueError(nested()), ValueError("x" * LIMIT)], ids=["keys", "depth", "size"]
)
def test_failure_that_cannot_be_sent_is_replaced(incoming: Incoming, raw_client: RawClient, error: Exception) -> None:
    incoming.reply(failure=(type(error), error, None))
    sent = failure(raw_client)
    assert sent["class"] == "RuntimeError"
    assert "ValueError" in sent["message"]
    assert len(sent["message"]) < 2000


def test_reply_to_a_cast_is_ignored(serving: Serving, raw_client: RawClient) -> None:
    raw_client.request(KEY, BODY, kind=frames.CAST)
    serving.next().reply("ignored")
    assert raw_client.answer().kind == frames.ACCEPTED
    assert raw_client.ask("other")[0] == frames.REFUSED


def test_heartbeat_is_sent_before_the_reply(incoming: Incoming, raw_client: RawClient) -> None:
    incoming.heartbeat()
    incoming.reply(1)
    assert [raw_client.answer().kind for _ in range(2)] == [frames.WORKING, frames.REPLY]


def test_client_that_has_disconnected_is_no_error(serving: Serving, process: ServingProcess, connect: Connect) -> None:
    client = connect(process.endpoint)
    client.request(KEY, BODY)
    incoming = serving.next()
    client.socket.close()
    poll(lambda: not incoming._delivery.answer(frames.WORKING), "the client is gone")
    incoming.heartbeat()
    incoming.reply(1)
    process.close()
    incoming.reply(failure=caught(ValueError("late")))


def test_acknowledging_frees_the_space_once(serving: Serving, incoming: Incoming) -> None:
    assert len(serving.inbox) == 1
    incoming.acknowledge()
    incoming.acknowledge()
    assert len(serving.inbox) == 0


def test_requeued_message_arrives_again(serving: Serving, incoming: Incoming) -> None:
    incoming.requeue()
    assert len(serving.inbox) == 1
    again = serving.next()
    assert again.msg_id == incoming.msg_id
    again.acknowledge()
    again.requeue()
    assert serving.listener.poll(timeout=0.001) == []


def test_message_requeued_to_a_stopped_server_is_lost_and_logged(
    serving: Serving, incoming: Incoming, caplog: pytest.LogCaptureFixture
) -> None:
    serving.listener.stop()
    incoming.requeue()
    assert incoming.msg_id in caplog.text


BROKEN = [b"", b"{", b"[]", b"null", b'{"context": {}}', b'{"context": [], "message": {}}', b"\xff", b"[" * 50_000]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_malformed_body_is_answered_and_skipped(
    serving: Serving, raw_client: RawClient, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    raw_client.request(KEY, broken)
    raw_client.request(KEY, BODY)
    assert serving.next().message == {"method": "m"}
    assert failure(raw_client)["class"] == "ValueError"
    assert len(serving.inbox) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_messages_are_collected_into_batches(serving: Serving, raw_client: RawClient) -> None:
    for _ in range(5):
        raw_client.request(KEY, BODY)
    assert len(serving.listener.poll(batch_size=3, timeout=WAIT_SECONDS)) == 3
    assert len(serving.listener.poll(batch_size=3, batch_timeout=0.02)) == 2
    assert serving.listener.poll(timeout=0.001) == []


def test_stop_wakes_a_polling_thread(serving: Serving, incoming: Incoming) -> None:
    polled: list[list[Incoming]] = []
    polling = on_thread(lambda: polled.append(serving.listener.poll()))
    serving.listener.stop()
    assert ended(polling)
    assert polled == [[]]
    serving.listener.stop()
    assert serving.stopped == 2
    assert serving.listener.poll() == []


def direct(process: ServingProcess, inbox: Inbox) -> DirectListener:
    process.server.add(KEY, inbox)
    return DirectListener(inbox, LIMIT, lambda: process.server.remove(KEY, inbox))


@pytest.fixture
def inbox() -> Inbox:
    return DirectInbox(10, 10 * LIMIT)


def reply(messages: list[Incoming]) -> None:
    (incoming,) = messages
    incoming.acknowledge()
    incoming.reply(incoming.message["method"])


def test_direct_listener_takes_earlier_messages(process: ServingProcess, raw_client: RawClient, inbox: Inbox) -> None:
    listener = direct(process, inbox)
    raw_client.request(KEY, BODY)
    poll(lambda: len(inbox), "the request arrives")
    listener.start(reply)
    assert raw_client.answer().kind == frames.REPLY
    assert raw_client.ask(KEY, BODY) == (frames.REPLY, b'"m"')
    listener.stop()
    listener.stop()
    listener.cleanup()
    assert raw_client.ask(KEY, BODY)[0] == frames.REFUSED
    assert len(inbox) == 0


@pytest.mark.parametrize("error", [RuntimeError("cannot schedule new futures after shutdown"), SystemExit(1)])
def test_server_that_fails_to_take_a_message_stops_nothing(
    process: ServingProcess, raw_client: RawClient, inbox: Inbox, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    def fail(_: list[Incoming]) -> None:
        raise error

    listener = direct(process, inbox)
    listener.start(fail)
    assert raw_client.ask(KEY, BODY, kind=frames.CAST)[0] == frames.ACCEPTED
    assert raw_client.ask("other")[0] == frames.REFUSED
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    listener.stop()


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_direct_listener_answers_a_malformed_body(
    process: ServingProcess, raw_client: RawClient, inbox: Inbox, broken: bytes
) -> None:
    direct(process, inbox).start(reply)
    assert raw_client.ask(KEY, broken)[0] == frames.FAILURE
    assert raw_client.ask(KEY, BODY)[0] == frames.REPLY
    assert len(inbox) == 0


def test_direct_listener_stops_after_handing_over_accepted_messages(
    process: ServingProcess, raw_client: RawClient, inbox: Inbox
) -> None:
    begun, released = threading.Event(), threading.Event()
    taken: list[Incoming] = []

    def take(messages: list[Incoming]) -> None:
        begun.set()
        assert released.wait(WAIT_SECONDS)
        taken.extend(messages)

    listener = direct(process, inbox)
    listener.start(take)
    raw_client.request(KEY, BODY)
    assert begun.wait(WAIT_SECONDS)
    stopping = on_thread(listener.stop)
    assert stopping.is_alive()
    released.set()
    assert ended(stopping)
    assert len(taken) == 1
