"""Delivery to one server or to each server: at most once, and in bounded time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import oslo_messaging
import pytest

from cells import exceptions
from cells.brokerless import connections as connections_module
from cells.brokerless import frames
from cells.brokerless.addresses import Address
from cells.brokerless.connections import Connections
from cells.brokerless.peers import Peers
from cells.brokerless.round_trip import DeliveryUnknown, Outgoing, ServerLost
from cells.brokerless.sender import Sender
from cells.brokerless.server import FULL, NO_LISTENER, Delivery
from tests.unit.brokerless.serving import WAIT_SECONDS, ServingProcess, Start, ended, on_thread, taken
from tools.polling import poll

KEY = "openstack~cells"
FANOUT = f"fanout~{KEY}"


class KnownPeers(Peers):
    """Peers that the test sets, in their order, with a record of the reports about them."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Address] = []
        self.reports: list[tuple[str, Address]] = []
        self.problem: Exception | None = None

    def find(self, key: str, pool: str | None = None) -> list[Address]:
        if self.problem is not None:
            raise self.problem
        return [address for address in self.known if pool in (None, address.pool)]

    def _known(self, key: str) -> list[Address]:
        return self.known

    def delivered(self, key: str, address: Address) -> None:
        self.reports.append(("delivered", address))

    def unreachable(self, key: str, address: Address) -> None:
        self.reports.append(("unreachable", address))


@pytest.fixture
def peers() -> KnownPeers:
    return KnownPeers()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connections]:
    monkeypatch.setattr(connections_module, "LIVENESS_CHECK_SECONDS", 0.02)
    made = Connections(lambda *_: None, 2, 1.0)
    yield made
    assert ended(on_thread(made.close))


@pytest.fixture
def sender(peers: KnownPeers, connections: Connections) -> Sender:
    return Sender(peers=peers, connections=connections, delivery_timeout_seconds=WAIT_SECONDS, max_message_bytes=1000)


@pytest.fixture
def impatient(peers: KnownPeers, connections: Connections) -> Sender:
    """A sender with a short delivery timeout."""
    return Sender(peers=peers, connections=connections, delivery_timeout_seconds=0.05, max_message_bytes=1000)


@pytest.fixture
def dead(sockets: Path) -> Address:
    """A killed process, which left its socket file behind."""
    process = ServingProcess(sockets)
    process.close()
    Path(process.endpoint.removeprefix("ipc://")).touch()
    return process.address


def call(key: str = KEY, retry: int | None = 0, monitor_seconds: float | None = None) -> Outgoing:
    return Outgoing(frames.CALL, key, b"{}", retry, monitor_seconds=monitor_seconds)


def cast(key: str = KEY, retry: int | None = 0, body: bytes = b"{}", pool: str | None = None) -> Outgoing:
    return Outgoing(frames.CAST, key, body, retry, pool=pool)


def test_call_returns_the_answer(sender: Sender, peers: KnownPeers, process: ServingProcess) -> None:
    process.echo(KEY)
    peers.known = [process.address]
    answer = sender.call(call(), 10)
    assert (answer.kind, answer.body) == (frames.REPLY, b"{}")
    assert sender.call(call(), None).body == b"{}"
    assert peers.reports == [("delivered", process.address)] * 2


def test_first_free_server_gets_a_cast(sender: Sender, peers: KnownPeers, start_process: Start, dead: Address) -> None:
    other, full, free, last = (start_process() for _ in range(4))
    full.queue(KEY, max_messages=1).put(Delivery.__new__(Delivery, *[None] * 3), 1)  # type: ignore[arg-type]
    queue, rest = free.queue(KEY), last.queue(KEY)
    gone = Address(("ipc:///nowhere/a.sock",))
    peers.known = [dead, gone, other.address, full.address, free.address, last.address]
    sender.cast(cast())
    assert taken(queue) == b"{}"
    assert len(rest) == 0
    # A full queue says nothing about the process.
    assert peers.reports == [("unreachable", dead), ("unreachable", gone), ("delivered", free.address)]


@pytest.mark.parametrize("send", [Sender.cast, lambda sender, message: sender.call(message, 10)])
def test_error_names_each_peer_that_was_tried(
    sender: Sender, peers: KnownPeers, process: ServingProcess, dead: Address, send: Callable[[Sender, Outgoing], None]
) -> None:
    peers.known = [dead, process.address]
    with pytest.raises(oslo_messaging.MessageDeliveryFailure) as raised:
        send(sender, cast("a%2Eb~c"))
    text = str(raised.value)
    assert "a.b~c" in text
    assert f"{dead}: Connection refused" in text
    assert f"{process.address}: {NO_LISTENER}" in text
    assert not isinstance(raised.value, DeliveryUnknown)


def test_no_known_peer_is_a_delivery_failure(sender: Sender) -> None:
    with pytest.raises(oslo_messaging.MessageDeliveryFailure):
        sender.cast(cast())


def test_full_queue_fails_only_without_retries(sender: Sender, peers: KnownPeers, process: ServingProcess) -> None:
    queue = process.queue(KEY, max_messages=1)
    peers.known = [process.address]
    sender.cast(cast())
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match=FULL):
        sender.cast(cast())
    with futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sender.cast, cast(retry=None, body=b"2"))
        assert taken(queue) == b"{}"
        waiting.result(WAIT_SECONDS)
    assert taken(queue) == b"2"
    assert len(queue) == 0


@pytest.mark.parametrize(("retry", "attempts"), [(0, 1), (1, 2), (2, 3)])
def test_number_of_attempts(
    sender: Sender, peers: KnownPeers, monkeypatch: pytest.MonkeyPatch, retry: int, attempts: int
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(peers, "find", lambda key, _pool: asked.append(key) or [])
    with pytest.raises(oslo_messaging.MessageDeliveryFailure):
        sender.cast(cast(retry=retry))
    assert len(asked) == attempts


@pytest.mark.parametrize("retry", [None, -1, 1000])
def test_retries_end_at_the_deadline(impatient: Sender, peers: KnownPeers, retry: int | None) -> None:
    peers.problem = exceptions.MatchMakerException("the registry is unavailable")
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match=str(peers.problem)):
        impatient.cast(cast(retry=retry))
    with pytest.raises(oslo_messaging.MessageDeliveryFailure):
        impatient.call(call(retry=retry), 10)


def test_call_whose_timeout_ends_before_its_delivery_is_a_timeout(sender: Sender) -> None:
    with pytest.raises(oslo_messaging.MessagingTimeout):
        sender.call(call(retry=None), 0.05)


def test_server_that_starts_later_is_found(sender: Sender, peers: KnownPeers, process: ServingProcess) -> None:
    process.echo(KEY)
    with futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sender.call, call(retry=None), 10)
        peers.known = [process.address]
        assert waiting.result(WAIT_SECONDS).kind == frames.REPLY


def test_too_long_message_is_refused_by_the_sender(sender: Sender, peers: KnownPeers, process: ServingProcess) -> None:
    queue = process.queue(KEY)
    peers.known = [process.address]
    sender.cast(cast(body=b"x" * 1000))
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match="max_message_bytes"):
        sender.cast(cast(body=b"x" * 1001, retry=None))
    assert len(queue) == 1


@pytest.mark.parametrize("kind", [frames.CALL, frames.CAST])
@pytest.mark.parametrize("key", [KEY, FANOUT])
def test_accepted_message_goes_to_no_other_server(
    sender: Sender, peers: KnownPeers, start_process: Start, kind: bytes, key: str
) -> None:
    first, second = start_process(), start_process()
    got, queue = [], second.queue(KEY)
    # Simulates a process that is killed after it accepted the message: no answer, and the connection ends.
    first.server._deliver = lambda delivery: (got.append(delivery), ([], None))[1]  # type: ignore[method-assign]
    first.server._confirm = lambda: None  # type: ignore[method-assign]
    if key == FANOUT:
        peers.known = [first.address]
        later = [first.address, second.address]
    else:
        peers.known = later = [first.address, second.address]
    message = Outgoing(kind, key, b"{}", None)
    with futures.ThreadPoolExecutor(1) as pool:
        if kind == frames.CAST or key == FANOUT:
            sending, error = pool.submit(sender.cast, message), DeliveryUnknown
        else:
            sending, error = pool.submit(sender.call, message, 10), ServerLost
        poll(lambda: got, "the first server has the message")
        peers.known = later
        first.close()
        with pytest.raises(error):
            sending.result(WAIT_SECONDS)
    assert (len(got), len(queue)) == (1, 0)
    assert peers.reports == [("unreachable", first.address)]


def test_cast_without_an_answer_may_have_arrived(impatient: Sender, peers: KnownPeers, start_process: Start) -> None:
    silent, other = start_process(), start_process()
    queue = other.queue(KEY)
    silent.server._deliver = lambda _: ([], None)  # type: ignore[method-assign]
    silent.server._confirm = lambda: None  # type: ignore[method-assign]
    peers.known = [silent.address, other.address]
    for key in (KEY, FANOUT):
        peers.known = [silent.address] if key == FANOUT else peers.known
        with pytest.raises(DeliveryUnknown) as raised:
            impatient.cast(cast(key, retry=None))
        assert isinstance(raised.value, oslo_messaging.MessageDeliveryFailure)
    assert len(queue) == 0


def test_slow_method_does_not_make_its_process_unreachable(
    sender: Sender, peers: KnownPeers, connections: Connections, process: ServingProcess
) -> None:
    process.queue(KEY)
    peers.known = [process.address]
    # The connection is open already, so no call times out in its handshake.
    with connections.borrow(process.endpoint, time.monotonic() + WAIT_SECONDS):
        pass
    with pytest.raises(oslo_messaging.MessagingTimeout):
        sender.call(call(), 0.01)
    with pytest.raises(oslo_messaging.MessagingTimeout):
        sender.call(call(monitor_seconds=0.01), 10)
    assert peers.reports == []


def test_fanout_reaches_live_servers(sender: Sender, peers: KnownPeers, start_process: Start, dead: Address) -> None:
    refusing, first, second = (start_process() for _ in range(3))
    queues = [first.queue(KEY), second.queue(KEY)]
    peers.known = [dead, refusing.address, first.address, second.address]
    sender.cast(cast(FANOUT))
    assert [taken(queue) for queue in queues] == [b"{}", b"{}"]
    assert peers.reports == [("unreachable", dead), ("delivered", first.address), ("delivered", second.address)]


def test_fanout_without_servers_is_no_error(sender: Sender, peers: KnownPeers, process: ServingProcess) -> None:
    sender.cast(cast(FANOUT))
    peers.known = [process.address]
    sender.cast(cast(FANOUT))
    assert peers.reports == []


def test_refused_fanout_is_an_error(sender: Sender, peers: KnownPeers, process: ServingProcess, dead: Address) -> None:
    process.queue(KEY, max_messages=1)
    peers.known = [dead, process.address]
    sender.cast(cast(FANOUT))
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match=FULL):
        sender.cast(cast(FANOUT))
    peers.known = [dead]
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match="Connection refused"):
        sender.cast(cast(FANOUT))


def test_message_for_a_pool_reaches_only_that_pool(sender: Sender, peers: KnownPeers, process: ServingProcess) -> None:
    plain, audit = process.queue(KEY), process.queue(KEY, "audit")
    peers.known = [process.address, process.in_pool("audit")]
    sender.cast(cast(pool="audit"))
    sender.cast(cast(pool="audit"))
    assert (len(plain), len(audit)) == (0, 2)
    with pytest.raises(oslo_messaging.MessageDeliveryFailure):
        sender.cast(cast(pool="other"))


def test_calls_wait_for_a_free_connection(sender: Sender, peers: KnownPeers, process: ServingProcess) -> None:
    queue = process.queue(KEY)
    peers.known = [process.address]
    with futures.ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(sender.call, call(), 10) for _ in range(6)]
        for _ in range(6):
            assert len(queue) <= 2
            delivery = queue.take(WAIT_SECONDS)
            assert delivery is not None
            queue.done(2)
            delivery.answer(frames.REPLY, b"1")
        assert [one.result(WAIT_SECONDS).body for one in waiting] == [b"1"] * 6


def test_lack_of_free_connections_does_not_make_a_peer_unreachable(
    impatient: Sender, peers: KnownPeers, connections: Connections, process: ServingProcess
) -> None:
    process.queue(KEY)
    peers.known = [process.address]
    soon = time.monotonic() + WAIT_SECONDS
    with (
        connections.borrow(process.endpoint, soon),
        connections.borrow(process.endpoint, soon),
        pytest.raises(oslo_messaging.MessageDeliveryFailure, match=process.endpoint),
    ):
        impatient.cast(cast())
    assert peers.reports == []


def test_other_peers_are_tried_before_waiting_for_a_free_connection(
    sender: Sender, peers: KnownPeers, connections: Connections, start_process: Start, dead: Address
) -> None:
    full, other = start_process(), start_process()
    full.queue(KEY)
    queue = other.queue(KEY)
    peers.known = [full.address, other.address]
    soon = time.monotonic() + WAIT_SECONDS
    with connections.borrow(full.endpoint, soon), contextlib.ExitStack() as borrowed:
        borrowed.enter_context(connections.borrow(full.endpoint, soon))
        assert ended(on_thread(lambda: sender.cast(cast())), WAIT_SECONDS / 2)
        assert len(queue) == 1
        # If no other peer accepts the message, the sender waits for a connection.
        peers.known = [full.address, dead]
        waiting = on_thread(lambda: sender.cast(cast()))
        poll(lambda: ("unreachable", dead) in peers.reports, "the other peer was tried")
        assert waiting.is_alive()
        borrowed.close()
        assert ended(waiting)
    assert peers.reports[-1] == ("delivered", full.address)


def test_closed_sender_sends_nothing(sender: Sender, peers: KnownPeers, process: ServingProcess) -> None:
    process.echo(KEY)
    peers.known = [process.address]
    sender.call(call(), 10)
    peers.reports.clear()
    sender.close()
    sender.close()
    for key in (KEY, FANOUT):
        with pytest.raises(oslo_messaging.MessageDeliveryFailure):
            sender.cast(cast(key, retry=None))
    with pytest.raises(oslo_messaging.MessageDeliveryFailure):
        sender.call(call(retry=None), 10)
    assert peers.reports == []


def test_close_ends_retries_but_not_calls_in_flight(sender: Sender, peers: KnownPeers, process: ServingProcess) -> None:
    queue = process.queue(KEY)
    peers.known = [process.address]
    with futures.ThreadPoolExecutor(2) as pool:
        taken_call = pool.submit(sender.call, call(), 10)
        delivery = queue.take(WAIT_SECONDS)
        assert delivery is not None
        trying = pool.submit(sender.cast, cast("other", retry=None))
        assert ended(on_thread(sender.close))
        with pytest.raises(oslo_messaging.MessageDeliveryFailure):
            trying.result(WAIT_SECONDS)
        delivery.answer(frames.REPLY, b"1")
        assert taken_call.result(WAIT_SECONDS).body == b"1"
