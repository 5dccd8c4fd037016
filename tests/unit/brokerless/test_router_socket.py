"""A listening socket that several threads answer on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from cells.brokerless import router_socket
from cells.brokerless.router_socket import RouterSocket
from tests.unit.brokerless.serving import RawClient, ended, on_thread
from tools.polling import poll

Context = zmq.Context[zmq.Socket[bytes]]


@pytest.fixture
def listening() -> Iterator[RouterSocket]:
    with zmq.Context() as context:
        listening = RouterSocket(context, 1000)
        yield listening
        listening.close()


@pytest.fixture
def client(listening: RouterSocket, sockets: Path, connect: Callable[[str], RawClient]) -> RawClient:
    listening.socket.bind(f"ipc://{sockets}/a.sock")
    return connect(f"ipc://{sockets}/a.sock")


def received(listening: RouterSocket) -> list[bytes]:
    return poll(listening.receive, "a message comes", pause_seconds=0.001)


def test_message_comes_and_its_answer_goes(listening: RouterSocket, client: RawClient) -> None:
    assert listening.receive() is None
    client.send([b"a", b""])
    peer, *frames = received(listening)
    assert frames == [b"a", b""]
    assert listening.send(peer, [b"b", b"c"])
    assert client.socket.poll(5000)
    assert client.socket.recv_multipart() == [b"b", b"c"]


def test_peer_that_is_not_there_gets_no_answer(listening: RouterSocket) -> None:
    assert not listening.send(b"nobody", [b"a"])


def test_peer_that_reads_nothing_gets_so_many_answers_and_no_more(listening: RouterSocket, client: RawClient) -> None:
    client.send([b"a"])
    peer, _ = received(listening)
    sent = 0
    # Some more fit into the buffers of the system and of the other side.
    while listening.send(peer, [b"x" * 100_000]) and sent < 100_000:
        sent += 1
    assert router_socket.ANSWERS_PER_PEER <= sent < 20 * router_socket.ANSWERS_PER_PEER


def test_too_long_message_ends_the_connection_of_its_sender_alone(
    listening: RouterSocket, client: RawClient, sockets: Path, connect: Callable[[str], RawClient]
) -> None:
    client.send([b"x" * (1001 + router_socket.FRAME_BYTES)])
    other = connect(f"ipc://{sockets}/a.sock")
    longest = b"x" * (1000 + router_socket.FRAME_BYTES)
    other.send([longest])
    assert received(listening)[1:] == [longest]
    assert listening.receive() is None


@pytest.mark.parametrize("is_there", [True, False])
def test_sender_that_takes_the_sign_wakes_the_reader(
    listening: RouterSocket, client: RawClient, is_there: bool
) -> None:
    client.send([b"a"])
    peer, _ = received(listening)
    client.send([b"b"])
    # Without a receive in between: it is the attempt to send that takes the sign.
    poll(
        lambda: listening.send(peer if is_there else b"nobody", [b"c"]) is is_there and wake_count(listening),
        "the reader is woken",
        pause_seconds=0.001,
    )
    assert received(listening)[1:] == [b"b"]


def wake_count(listening: RouterSocket) -> int:
    try:
        return os.eventfd_read(listening.wake_fd)
    except BlockingIOError:
        return 0


def test_closed_one_sends_nothing(listening: RouterSocket, client: RawClient) -> None:
    client.send([b"a"])
    peer, _ = received(listening)
    listening.close()
    listening.close()
    assert not listening.send(peer, [b"b"])


@pytest.mark.parametrize("failing", ["eventfd", "socket"])
def test_context_can_end_after_a_socket_that_could_not_be_made(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def fail(*_: object) -> int:
        if failing == "eventfd":
            raise OSError("too many open files")
        raise zmq.ZMQError(errno.EMFILE)

    context: Context = zmq.Context()
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(*((os, "eventfd", fail) if failing == "eventfd" else (context, "socket", fail)))
    with pytest.raises((OSError, zmq.ZMQError), match=r"(?i)too many open files"):
        RouterSocket(context, 1000)
    assert len(os.listdir("/proc/self/fd")) == before
    assert ended(on_thread(context.term))
