"""A listening socket on which several threads answer."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from cells.brokerless import router_socket
from cells.brokerless.router_socket import Received, RouterSocket
from tests.unit.brokerless.serving import Connect, RawClient, ended, on_thread
from tools.polling import poll

Context = zmq.Context[zmq.Socket[bytes]]


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> Iterator[RouterSocket]:
    with zmq.Context() as context:
        router = RouterSocket(context, 1000)
        yield router
        monkeypatch.setattr(router_socket, "READ_SECONDS", 0.0)
        router.close()


@pytest.fixture
def client(router: RouterSocket, sockets: Path, connect: Connect) -> RawClient:
    router.socket.bind(f"ipc://{sockets}/a.sock")
    return connect(f"ipc://{sockets}/a.sock")


def received(router: RouterSocket) -> Received:
    return poll(router.receive, "a message arrives")


def test_message_and_its_answer(router: RouterSocket, client: RawClient) -> None:
    assert router.receive() is None
    client.send([b"a", b""])
    peer, frames, user_id = received(router)
    assert (frames, user_id) == ([b"a", b""], "")
    assert router.send(peer, [b"b", b"c"])
    assert client.socket.poll(5000)
    assert client.socket.recv_multipart() == [b"b", b"c"]


def test_unknown_peer_gets_no_answer(router: RouterSocket) -> None:
    assert not router.send(b"unknown", [b"a"])


def test_number_of_queued_answers_is_limited(router: RouterSocket, client: RawClient) -> None:
    client.send([b"a"])
    peer = received(router).peer
    sent = 0
    # The buffers of the system and of the other side hold further answers.
    while router.send(peer, [b"x" * 100_000]) and sent < 100_000:
        sent += 1
    assert router_socket.ANSWERS_PER_PEER <= sent < 20 * router_socket.ANSWERS_PER_PEER


def test_too_long_message_disconnects_only_its_sender(
    router: RouterSocket, client: RawClient, sockets: Path, connect: Connect
) -> None:
    client.send([b"x" * (1001 + router_socket.FRAME_BYTES)])
    other = connect(f"ipc://{sockets}/a.sock")
    longest = b"x" * (1000 + router_socket.FRAME_BYTES)
    other.send([longest])
    assert received(router).frames == [longest]
    assert router.receive() is None


@pytest.mark.parametrize("is_connected", [True, False])
def test_sending_wakes_the_reader_if_it_consumes_the_readiness(
    router: RouterSocket, client: RawClient, is_connected: bool
) -> None:
    client.send([b"a"])
    peer = received(router).peer
    client.send([b"b"])
    # Without receive() in between: the attempt to send consumes the readiness.
    poll(
        lambda: router.send(peer if is_connected else b"unknown", [b"c"]) is is_connected and wake_count(router),
        "the reader is woken",
    )
    assert received(router).frames == [b"b"]


def wake_count(router: RouterSocket) -> int:
    try:
        return os.eventfd_read(router.wake_fd)
    except BlockingIOError:
        return 0


def test_closed_socket_sends_nothing(router: RouterSocket, client: RawClient) -> None:
    client.send([b"a"])
    peer = received(router).peer
    router.close()
    router.close()
    assert not router.send(peer, [b"b"])


@pytest.mark.parametrize("failing", ["eventfd", "socket"])
def test_context_can_end_after_a_failed_constructor(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def fail(*_: object) -> int:
        if failing == "eventfd":
            raise OSError("too many open files")
        raise zmq.ZMQError(errno.EMFILE)

    context: Context = zmq.Context()
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(*((os, "eventfd", fail) if failing == "eventfd" else (context, "socket", fail)))
    with pytest.raises((OSError, zmq.ZMQError)):
        RouterSocket(context, 1000)
    poll(lambda: len(os.listdir("/proc/self/fd")) <= before, "the sockets are closed")
    assert ended(on_thread(context.term))
