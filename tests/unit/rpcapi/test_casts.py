"""Casts of many threads in one request, and alone if the manager does not read such a request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging.rpc import dispatcher as rpc_dispatcher

from cells import conf as cells_conf
from cells import exceptions
from cells.rpcapi import casts
from cells.rpcapi.casts import MIN_CASTS_OF_CALL, VERSION, CastBatcher, unpack
from cells.transport import open_transport
from tests.clock import Clock
from tools.polling import poll

TIMEOUT_SECONDS = 10.0
#: How many go at once, before the others wait for them.
SIDE_BY_SIDE = MIN_CASTS_OF_CALL - 1
MANY = SIDE_BY_SIDE + 7


class Client:
    """Stands for oslo.messaging's client: blocks the first cast until all others wait; ``answer`` is the call."""

    def __init__(self, cap: str | None, url: str) -> None:
        self.version_cap = cap
        self.retry = 1
        self.transport = open_transport(cells_conf.load([]), url)
        self._plain = oslo_messaging.get_rpc_client(
            self.transport, oslo_messaging.Target(topic="cells", version="1.0"), version_cap=cap
        )
        self.answer: Callable[[], None] = lambda: None
        #: the answer to a probe; None: as to a batch
        self.probe_answer: Callable[[], None] | None = None
        self.probes = 0
        self.alone: list[tuple[Mapping[str, Any], dict[str, Any]]] = []
        self.together: list[tuple[str, list[dict[str, Any]]]] = []
        self.options: dict[str, Any] = {}
        self.gate = threading.Event()
        self._lock = threading.Lock()

    def can_send_version(self, version: str) -> bool:
        return bool(self._plain.can_send_version(version))

    def prepare(self, **options: Any) -> Client:
        self.options = options
        return self

    def cast(self, ctxt: Mapping[str, Any], method: str, **arguments: Any) -> None:
        if method == "cast":
            with self._lock:
                self.alone.append((ctxt, arguments))
            assert self.gate.wait(TIMEOUT_SECONDS)
        else:
            self._note("cast", arguments["casts"])

    def call(self, ctxt: Mapping[str, Any], method: str, **arguments: Any) -> None:
        if arguments["casts"]:
            self._note("call", arguments["casts"])
            self.answer()
        else:
            self.probes += 1
            assert self.options["timeout"] == casts.ANSWER_SECONDS, "a probe expires soon"
            (self.probe_answer or self.answer)()

    def _note(self, how: str, texts: Sequence[str]) -> None:
        self.together.append((how, [json.loads(text) for text in texts]))


@pytest.fixture
def make_client() -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(cap: str | None = None, url: str = "fake:") -> Client:
        made.append(Client(cap, url))
        return made[-1]

    yield make
    for client in made:
        client.transport.cleanup()


def arguments_of(number: int) -> dict[str, Any]:
    return {"cell_name": "east", "method_name": "note", "method_kwargs": {"number": number}}


def cast_at_once(client: Client, count: int = MANY, sender: CastBatcher | None = None) -> list[BaseException | None]:
    """Cast from ``count`` threads, release them when all wait, and return the error of each cast."""
    sender = sender or CastBatcher(client)
    client.gate.clear()
    before = len(numbers(client))
    with futures.ThreadPoolExecutor(count) as pool:

        def send(number: int) -> futures.Future[None]:
            return pool.submit(sender.send, {"user": str(number)}, arguments_of(number))

        sent = [send(number) for number in range(count)]
        wait_for(lambda: len(sender._group._waiting) + len(numbers(client)) - before == count)
        client.gate.set()
        return [each.exception(TIMEOUT_SECONDS) for each in sent]


def wait_for(condition: Callable[[], Any]) -> None:
    poll(condition, "casts are under way or wait", timeout_seconds=TIMEOUT_SECONDS, pause_seconds=0.001)


def numbers(client: Client) -> list[int]:
    together = [cast["method_kwargs"]["number"] for _, sent in client.together for cast in sent]
    return sorted([arguments["method_kwargs"]["number"] for _, arguments in client.alone] + together)


def test_casts_of_many_threads_share_one_call_each_with_its_context(make_client: Callable[..., Client]) -> None:
    client = make_client()
    assert cast_at_once(client) == [None] * MANY
    assert [(how, len(sent)) for how, sent in client.together] == [("call", MANY - SIDE_BY_SIDE)]
    for cast in client.together[0][1]:
        number = cast["method_kwargs"]["number"]
        assert cast == {"ctxt": {"user": str(number)}, **arguments_of(number)}
    assert numbers(client) == list(range(MANY))
    assert client.options["version"] == VERSION


def test_the_manager_is_probed_before_the_first_batch_and_again_after_a_while(
    make_client: Callable[..., Client],
) -> None:
    client, clock = make_client(), Clock()
    sender = CastBatcher(client, clock)
    for _ in range(2):
        cast_at_once(client, sender=sender)
    assert client.probes == 1
    clock.now += casts.KNOWN_SECONDS
    # Enough for a batch even if the first threads find too few others.
    cast_at_once(client, 2 * MANY, sender)
    assert client.probes == 2


def test_the_broker_keeps_a_batch_longer_than_the_client_waits(make_client: Callable[..., Client]) -> None:
    client = make_client()
    cast_at_once(client)
    assert client.options["timeout"] >= 24 * 3600
    assert client.options["call_monitor_timeout"] == casts.ANSWER_SECONDS


def test_few_casts_are_sent_alone(make_client: Callable[..., Client]) -> None:
    client = make_client()
    few = SIDE_BY_SIDE + MIN_CASTS_OF_CALL - 1
    assert cast_at_once(client, few) == [None] * few
    assert not client.together
    assert numbers(client) == list(range(few))


def test_a_cap_that_allows_batches_makes_them_casts(make_client: Callable[..., Client]) -> None:
    client = make_client(VERSION)
    assert cast_at_once(client, 3) == [None] * 3
    assert [(how, len(sent)) for how, sent in client.together] == [("cast", 2)]


@pytest.mark.parametrize(("cap", "url"), [("1.0", "fake:"), ("1.1", "fake:"), (None, "zmq+ipc:///nowhere")])
def test_a_lower_cap_or_no_broker_disables_batches(
    make_client: Callable[..., Client], cap: str | None, url: str
) -> None:
    client = make_client(cap, url)
    assert cast_at_once(client) == [None] * MANY
    assert not client.together
    assert numbers(client) == list(range(MANY))


@pytest.mark.parametrize(
    "error",
    [
        oslo_messaging.RemoteError("UnsupportedVersion", "Endpoint does not support RPC version 1.2", []),
        oslo_messaging.RemoteError("NoSuchMethod", "Endpoint does not support RPC method cast_many", []),
        rpc_dispatcher.UnsupportedVersion("1.2"),
    ],
)
@pytest.mark.parametrize("refuses_probe", [True, False], ids=["refuses the probe", "refuses the batch"])
def test_if_an_older_manager_refuses_a_batch_these_and_later_casts_are_sent_alone(
    make_client: Callable[..., Client], error: Exception, refuses_probe: bool
) -> None:
    client, clock = make_client(), Clock()
    sender = CastBatcher(client, clock)

    def refuse() -> None:
        raise error

    client.answer = refuse
    client.probe_answer = None if refuses_probe else lambda: None
    assert cast_at_once(client, sender=sender) == [None] * MANY
    assert sorted(arguments["method_kwargs"]["number"] for _, arguments in client.alone) == list(range(MANY))
    assert cast_at_once(client, sender=sender) == [None] * MANY
    assert (client.probes, len(client.together)) == (1, 0 if refuses_probe else 1)
    clock.now += casts.ALONE_SECONDS
    client.answer = lambda: None
    # Enough for a batch even if the first threads find too few others.
    before = len(client.together)
    assert cast_at_once(client, 2 * MANY, sender) == [None] * 2 * MANY
    assert len(client.together) > before


def test_a_batch_without_an_answer_is_not_repeated(make_client: Callable[..., Client]) -> None:
    client = make_client()
    sender = CastBatcher(client)

    def keep_silent() -> None:
        raise oslo_messaging.MessagingTimeout

    client.answer = keep_silent
    client.probe_answer = lambda: None
    assert cast_at_once(client, sender=sender) == [None] * MANY
    assert numbers(client) == list(range(MANY))
    assert cast_at_once(client, sender=sender) == [None] * MANY
    assert len(client.together) == 1


def test_while_no_manager_answers_casts_are_sent_alone(make_client: Callable[..., Client]) -> None:
    """The next manager may be of an older release, which would drop a batch."""
    client, clock = make_client(), Clock()
    sender = CastBatcher(client, clock)

    def keep_silent() -> None:
        raise oslo_messaging.MessagingTimeout

    client.answer = keep_silent
    for asked in (1, 2):
        assert cast_at_once(client, 2 * MANY, sender) == [None] * 2 * MANY
        assert (client.probes, client.together) == (asked, [])
        clock.now += casts.ALONE_SECONDS
    assert len(client.alone) == 4 * MANY


def test_a_delivery_failure_is_an_error_of_each_cast(make_client: Callable[..., Client]) -> None:
    client = make_client()

    def fail() -> None:
        raise oslo_messaging.MessageDeliveryFailure("no broker")

    client.answer = fail
    client.probe_answer = lambda: None
    raised = [error for error in cast_at_once(client) if error is not None]
    assert [(type(error), str(error)) for error in raised] == [(oslo_messaging.MessageDeliveryFailure, "no broker")] * 7
    assert len(set(map(id, raised))) == 7


def test_an_interrupted_thread_is_a_delivery_failure_for_the_others(make_client: Callable[..., Client]) -> None:
    client = make_client()

    def interrupt() -> None:
        raise KeyboardInterrupt

    client.answer = interrupt
    raised = cast_at_once(client)
    assert sorted(type(error).__name__ for error in raised if error is not None) == [
        "KeyboardInterrupt",
        *["MessageDeliveryFailure"] * 6,
    ]


def test_arguments_without_a_json_form_are_an_error_of_their_caller_alone(make_client: Callable[..., Client]) -> None:
    client = make_client(VERSION)
    sender = CastBatcher(client)
    ring: dict[str, Any] = {}
    ring["ring"] = ring
    with futures.ThreadPoolExecutor(2) as pool:
        arguments = arguments_of(0)
        first = pool.submit(sender.send, {}, arguments)
        wait_for(lambda: client.alone)
        with pytest.raises((ValueError, RecursionError)):
            sender.send({}, {**arguments, "method_kwargs": ring})
        client.gate.set()
        first.result(TIMEOUT_SECONDS)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", None, 7, ["x"], "[" * 100_000])
def test_a_malformed_cast_is_refused(text: object) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="JSON object"):
        unpack(text)


def test_unknown_keys_are_ignored_and_missing_keys_are_none() -> None:
    assert unpack('{"cell_name": "east", "urgency": 3}') == {
        "ctxt": None,
        "cell_name": "east",
        "method_name": None,
        "method_kwargs": None,
    }
