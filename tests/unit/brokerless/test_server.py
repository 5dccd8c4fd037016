"""The server of a process: which listener gets a message, and protection against faulty clients."""

from __future__ import annotations

import os
import random
import threading

import pytest

from cells.brokerless import frames, server
from cells.brokerless.frames import Request
from cells.brokerless.inbox import PolledInbox
from cells.brokerless.router_socket import Received, RouterSocket
from cells.brokerless.server import ALL_POOLS, FULL, NO_LISTENER, Delivery, Server
from tests.unit.brokerless.serving import (
    WAIT_SECONDS,
    Connect,
    RawClient,
    ServingProcess,
    Start,
    ended,
    on_thread,
    taken,
)
from tools.polling import poll

KEY = "openstack~cells"
ACCEPTED = (frames.ACCEPTED, b"")
REFUSED_BY_ALL = (frames.REFUSED, NO_LISTENER.encode())
REFUSED_AS_FULL = (frames.REFUSED, FULL.encode())


@pytest.fixture
def quick_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blocked reader is replaced after 10 ms."""
    monkeypatch.setattr(server, "STUCK_SECONDS", 0.01)


def test_call_is_answered_by_its_listener(process: ServingProcess, raw_client: RawClient) -> None:
    process.echo(KEY)
    assert raw_client.ask(KEY, b"1") == (frames.REPLY, b"1")


def test_queued_cast_is_accepted(process: ServingProcess, raw_client: RawClient) -> None:
    inbox = process.queue(KEY)
    assert raw_client.ask(KEY, b"1", kind=frames.CAST) == ACCEPTED
    assert taken(inbox) == b"1"


@pytest.mark.parametrize("kind", [frames.CALL, frames.CAST])
def test_message_without_a_listener_is_refused(process: ServingProcess, raw_client: RawClient, kind: bytes) -> None:
    inbox = process.queue(KEY)
    assert raw_client.ask(f"{KEY}.other", kind=kind) == REFUSED_BY_ALL
    assert raw_client.ask(KEY, kind=kind, pool="other") == REFUSED_BY_ALL
    process.server.remove(KEY, inbox)
    assert raw_client.ask(KEY, kind=kind) == REFUSED_BY_ALL
    assert raw_client.ask(f"fanout~{KEY}", kind=kind) == REFUSED_BY_ALL


def test_full_inbox_refuses_until_a_message_is_taken(process: ServingProcess, raw_client: RawClient) -> None:
    inbox = process.queue(KEY, max_messages=2)
    answers = [raw_client.ask(KEY, b"%d" % number, kind=frames.CAST) for number in range(3)]
    assert answers == [ACCEPTED, ACCEPTED, REFUSED_AS_FULL]
    assert raw_client.ask(KEY) == REFUSED_AS_FULL
    assert taken(inbox) == b"0"
    assert raw_client.ask(KEY, b"3", kind=frames.CAST) == ACCEPTED
    assert [taken(inbox), taken(inbox)] == [b"1", b"3"]


def test_closed_inbox_refuses(process: ServingProcess, raw_client: RawClient) -> None:
    process.queue(KEY).close()
    assert raw_client.ask(KEY, kind=frames.CAST) == REFUSED_AS_FULL


def test_listeners_take_turns_and_replace_full_listeners(process: ServingProcess, raw_client: RawClient) -> None:
    inboxes = [process.queue(KEY, max_messages=3) for _ in range(3)]
    answers = [raw_client.ask(KEY, kind=frames.CAST) for _ in range(10)]
    assert answers == [ACCEPTED] * 9 + [REFUSED_AS_FULL]
    assert [len(inbox) for inbox in inboxes] == [3, 3, 3]
    taken(inboxes[1])
    assert raw_client.ask(KEY, kind=frames.CAST) == ACCEPTED
    assert len(inboxes[1]) == 3


def test_request_reaches_one_listener_of_its_pool_or_each_pool(process: ServingProcess, raw_client: RawClient) -> None:
    inboxes = {pool: [process.queue(KEY, pool), process.queue(KEY, pool)] for pool in ("", "audit")}
    assert raw_client.ask(KEY, b"1", kind=frames.CAST, pool="audit") == ACCEPTED
    assert [sum(map(len, inboxes[pool])) for pool in ("", "audit")] == [0, 1]
    assert raw_client.ask(KEY, b"2", kind=frames.CAST, pool=ALL_POOLS) == ACCEPTED
    assert [sum(map(len, inboxes[pool])) for pool in ("", "audit")] == [1, 2]


def test_fanout_reaches_each_listener_with_space(process: ServingProcess, raw_client: RawClient) -> None:
    inboxes = [process.queue(KEY, max_messages=room) for room in (1, 2, 3)]
    answers = [raw_client.ask(f"fanout~{KEY}", kind=frames.CAST) for _ in range(4)]
    assert answers == [ACCEPTED] * 3 + [REFUSED_AS_FULL]
    assert [len(inbox) for inbox in inboxes] == [1, 2, 3]


def test_first_and_last_listener_of_a_key_are_reported() -> None:
    served = Server([])
    one, two = (PolledInbox[Delivery](1, 1) for _ in range(2))
    assert [served.add(KEY, one), served.add(KEY, two), served.add(KEY, one, "audit")] == [True, False, True]
    assert [served.remove(KEY, one), served.remove(KEY, one), served.remove(KEY, two)] == [False, False, True]
    assert [served.remove(KEY, two), served.remove("unknown", two)] == [False, False]
    assert served.remove(KEY, one, "audit")
    assert served._routes == {}


def test_messages_of_one_client_stay_in_order(process: ServingProcess, raw_client: RawClient) -> None:
    inbox = process.queue(KEY)
    for number in range(300):
        raw_client.request(KEY, b"%d" % number, kind=frames.CAST)
    assert [taken(inbox) for _ in range(300)] == [b"%d" % number for number in range(300)]


def malformed(chance: random.Random) -> list[bytes]:
    parts: list[bytes] = chance.choice(
        [
            [chance.randbytes(chance.randint(0, 20)) for _ in range(chance.randint(1, 9))],
            [b"cells2\0call\x001\0" + KEY.encode() + b"\0", b"{}"],
            [frames.PROTOCOL, b"call"],
            [frames.header(frames.CALL, b"1", KEY.encode()), b"{}"],
            [frames.header(chance.randbytes(4).hex().encode(), b"1", KEY.encode(), b""), b"{}"],
            [frames.header(frames.CALL, b"", KEY.encode(), b""), b"{}"],
            [frames.header(frames.CALL, b"1" * 3000, KEY.encode(), b""), b"{}"],
            [frames.header(frames.CALL, b"1", b"k" * 3000, b""), b"{}"],
            [frames.header(frames.CALL, b"1", b"\xff\xfe", b""), b"{}"],
            [frames.header(frames.CALL, b"1", KEY.encode(), b"\xc3"), b"{}"],
            [frames.header(frames.REPLY, b"1"), b"null"],
            [b"cells" + b"x" * 3000],
            [b""] * 50,
        ]
    )
    return parts


def test_malformed_messages_change_nothing(
    process: ServingProcess, connect: Connect, raw_client: RawClient, caplog: pytest.LogCaptureFixture
) -> None:
    process.echo(KEY)
    faulty, chance = connect(process.endpoint), random.Random(7)
    for number in range(3_000):
        faulty.send(malformed(chance))
        if number % 300 == 0:
            assert raw_client.ask(KEY, b"%d" % number) == (frames.REPLY, b"%d" % number)
    # The faulty client is still served after all of its messages were read.
    assert faulty.ask(KEY, b"1") == (frames.REPLY, b"1")
    assert len(process.server._malformed) == 3_000
    assert 1 <= len(caplog.records) < 20


def test_unknown_keys_use_no_memory(process: ServingProcess, raw_client: RawClient) -> None:
    process.echo(KEY)
    for number in range(50):
        raw_client.request(f"{KEY}.{number}", pool=str(number))
    assert raw_client.ask(KEY, b"1") == (frames.REPLY, b"1")
    assert list(process.server._routes) == [KEY]


def test_deaf_client_delays_no_other_client(process: ServingProcess, connect: Connect, raw_client: RawClient) -> None:
    body = b"x" * 50_000
    process.handle(KEY, lambda delivery: delivery.answer(frames.REPLY, body))
    deaf = connect(process.endpoint)
    for _ in range(500):
        deaf.request(KEY)
    for _ in range(10):
        assert raw_client.ask(KEY) == (frames.REPLY, body)


@pytest.mark.parametrize("kind", [frames.CALL, frames.CAST])
def test_client_that_has_disconnected_delays_no_other_client(
    process: ServingProcess, connect: Connect, raw_client: RawClient, kind: bytes
) -> None:
    inbox = process.queue(KEY)
    client = connect(process.endpoint)
    message_id = client.request(KEY, b"1", kind=kind)
    poll(lambda: len(inbox), "the request arrives")
    client.socket.close()
    delivery = inbox.take(WAIT_SECONDS)
    assert delivery is not None
    assert delivery.request == Request(kind, message_id, KEY, "", b"1")
    poll(lambda: not delivery.answer(frames.REPLY), "the client is gone")
    assert raw_client.ask(KEY, kind=frames.CAST) == ACCEPTED


@pytest.mark.usefixtures("quick_watchdog")
def test_blocked_listener_delays_no_other_listener(process: ServingProcess, raw_client: RawClient) -> None:
    released, handled = threading.Event(), []

    def wait(delivery: Delivery) -> None:
        assert released.wait(WAIT_SECONDS)
        handled.append(delivery.request.body)

    process.handle("slow", wait)
    process.echo(KEY)
    slow = [raw_client.request("slow", b"%d" % number, kind=frames.CAST) for number in range(3)]
    assert raw_client.request(KEY, b"1")
    answers = {answer.message_id: answer for answer in (raw_client.answer() for _ in range(4))}
    # The casts were accepted while their listener is blocked.
    assert [answers[message_id].kind for message_id in slow] == [frames.ACCEPTED] * 3
    assert handled == []
    released.set()
    poll(lambda: len(handled) == 3, "the casts are handled")
    assert handled == [b"0", b"1", b"2"]
    assert raw_client.ask(KEY, b"2") == (frames.REPLY, b"2")


@pytest.mark.usefixtures("quick_watchdog")
def test_blocked_listener_of_a_fanout_does_not_delay_the_others(process: ServingProcess, raw_client: RawClient) -> None:
    released, handled = threading.Event(), threading.Event()
    slow = [process.handle(KEY, lambda _: released.wait(WAIT_SECONDS)) for _ in range(2)]
    process.handle(KEY, lambda _: handled.set())
    raw_client.request(f"fanout~{KEY}", kind=frames.CAST)
    assert handled.wait(WAIT_SECONDS)
    released.set()
    for inbox in slow:
        inbox.wait_until_empty()


@pytest.mark.usefixtures("quick_watchdog")
def test_replaced_reader_touches_nothing_after_close(
    process: ServingProcess, raw_client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, readers = threading.Event(), []

    def wait(_: Delivery) -> None:
        readers.append(threading.current_thread())
        assert released.wait(WAIT_SECONDS)

    process.handle("slow", wait)
    process.echo(KEY)
    raw_client.request("slow", kind=frames.CAST)
    assert raw_client.ask(KEY, b"1") == (frames.REPLY, b"1")
    process.close()
    used: list[int] = []
    monkeypatch.setattr(os, "eventfd_read", used.append)
    released.set()
    assert ended(readers[0])
    assert used == []


def test_close_waits_for_a_blocked_listener_for_a_limited_time(
    process: ServingProcess, raw_client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STUCK_SECONDS", 600)
    monkeypatch.setattr(server, "STOP_SECONDS", 0.01)
    waiting, released, readers = threading.Event(), threading.Event(), []

    def wait(_: Delivery) -> None:
        readers.append(threading.current_thread())
        waiting.set()
        assert released.wait(WAIT_SECONDS)

    process.handle(KEY, wait)
    raw_client.request(KEY, kind=frames.CAST)
    assert waiting.wait(WAIT_SECONDS)
    closing = on_thread(process.close)
    assert ended(closing)
    released.set()
    assert ended(readers[0])


def test_listener_may_close_the_server_that_called_it(process: ServingProcess, raw_client: RawClient) -> None:
    readers = []

    def close(_: Delivery) -> None:
        process.close()
        readers.append(threading.current_thread())

    process.handle(KEY, close)
    raw_client.request(KEY, kind=frames.CAST)
    poll(lambda: readers, "the server is closed")
    assert ended(readers[0])
    assert all(socket.socket.closed for socket in process.server._sockets)


class Flooded:
    """A socket that always has another malformed message."""

    def __init__(self) -> None:
        self.ready_fd = self.wake_fd = os.eventfd(1, os.EFD_NONBLOCK)

    def receive(self) -> Received:
        return Received(b"peer", [b"malformed"])

    def close(self) -> None:
        os.close(self.wake_fd)


def test_flooded_socket_does_not_block_another(
    process: ServingProcess, raw_client: RawClient, caplog: pytest.LogCaptureFixture
) -> None:
    flooded: object = Flooded()
    sockets = process.server._sockets
    assert isinstance(flooded, Flooded)
    sockets.insert(0, flooded)  # type: ignore[arg-type]
    process.echo(KEY)
    for number in range(20):
        assert raw_client.ask(KEY, b"%d" % number) == (frames.REPLY, b"%d" % number)
    assert caplog.records[0].levelname == "WARNING"
    assert ended(on_thread(process.close))


def test_answers_from_many_threads_wake_the_reader(
    process: ServingProcess, raw_client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No periodic check: a lost wake-up would stop the server.
    monkeypatch.setattr(server, "POLL_INTERVAL_SECONDS", 600)
    inbox, done = process.queue(KEY), threading.Event()
    strangers: list[RouterSocket] = process.server._sockets

    def answer() -> None:
        while (delivery := inbox.take(WAIT_SECONDS)) is not None:
            inbox.done(len(delivery.request.body))
            delivery.answer(frames.REPLY, delivery.request.body)

    def answer_unknown_peer() -> None:
        while not done.wait(0.0001):
            strangers[0].send(b"unknown", [b"1"])

    threads = [on_thread(answer), on_thread(answer), on_thread(answer_unknown_peer)]
    for number in range(300):
        assert raw_client.ask(KEY, b"%d" % number) == (frames.REPLY, b"%d" % number)
    done.set()
    inbox.close()
    assert all(ended(thread) for thread in threads)


def test_close_while_clients_send_requests(start_process: Start, connect: Connect) -> None:
    before = set(threading.enumerate())
    process = start_process()
    process.echo(KEY)
    raw_client = connect(process.endpoint)
    assert raw_client.ask(KEY)[0] == frames.REPLY
    threads = set(threading.enumerate()) - before
    assert {"zmq-reader", "zmq-watch"} <= {thread.name for thread in threads}
    for _ in range(100):
        raw_client.request(KEY)
    assert ended(on_thread(process.close))
    assert not any(thread.is_alive() for thread in threads if thread.name in ("zmq-reader", "zmq-watch"))
    process.server.close()


def test_answers_sent_before_close_arrive(process: ServingProcess, raw_client: RawClient) -> None:
    process.echo(KEY)
    body = b"x" * 90_000
    ids = [raw_client.request(KEY, body) for _ in range(20)]
    poll(lambda: process.server._turn >= 20, "all requests are read")
    process.close()
    assert [raw_client.answer().message_id for _ in range(20)] == ids
