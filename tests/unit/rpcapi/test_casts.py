"""Casts of many threads in one request, and what becomes of them when the manager does not read that."""

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
from tools.polling import poll

TIMEOUT_SECONDS = 10.0
#: How many go at once, before the others wait for them.
SIDE_BY_SIDE = MIN_CASTS_OF_CALL - 1
MANY = SIDE_BY_SIDE + 7


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Client:
    """As oslo.messaging's; the first cast is held until all others wait, and what a call does can be set."""

    def __init__(self, cap: str | None, url: str) -> None:
        self.version_cap = cap
        self.retry = 1
        self.transport = open_transport(cells_conf.load([]), url)
        self._plain = oslo_messaging.get_rpc_client(
            self.transport, oslo_messaging.Target(topic="cells", version="1.0"), version_cap=cap
        )
        self.answer: Callable[[], None] = lambda: None
        #: to the question whether it reads many casts; None: as to a request that has some
        self.answer_if_asked: Callable[[], None] | None = None
        self.asked = 0
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
            self.asked += 1
            assert self.options["timeout"] == casts.ANSWER_SECONDS, "Nobody is asked later"
            (self.answer_if_asked or self.answer)()

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


def cast_at_once(client: Client, count: int = MANY, sender: CastBatcher | None = None) -> list[BaseException | None]:
    """Cast from so many threads, and let none go on before all have come; what each has raised."""
    sender = sender or CastBatcher(client)
    client.gate.clear()
    before = len(numbers(client))
    with futures.ThreadPoolExecutor(count) as pool:

        def send(number: int) -> futures.Future[None]:
            return pool.submit(
                sender.send,
                {"user": str(number)},
                {"cell_name": "east", "method_name": "note", "method_kwargs": {"number": number}},
            )

        sent = [send(number) for number in range(count)]
        wait_for(lambda: len(sender._group._waiting) + len(numbers(client)) - before == count)
        client.gate.set()
        return [each.exception(TIMEOUT_SECONDS) for each in sent]


def wait_for(condition: Callable[[], Any]) -> None:
    poll(condition, "casts are under way or wait", timeout_seconds=TIMEOUT_SECONDS, pause_seconds=0.001)


def numbers(client: Client) -> list[int]:
    together = [cast["method_kwargs"]["number"] for _, sent in client.together for cast in sent]
    return sorted([arguments["method_kwargs"]["number"] for _, arguments in client.alone] + together)


def test_casts_of_many_threads_go_in_one_call_each_with_its_context(make_client: Callable[..., Client]) -> None:
    client = make_client()
    assert cast_at_once(client) == [None] * MANY
    assert [(how, len(sent)) for how, sent in client.together] == [("call", MANY - SIDE_BY_SIDE)]
    assert all(
        cast
        == {
            "ctxt": {"user": str(cast["method_kwargs"]["number"])},
            "cell_name": "east",
            "method_name": "note",
            "method_kwargs": cast["method_kwargs"],
        }
        for cast in client.together[0][1]
    )
    assert numbers(client) == list(range(MANY))
    assert client.options["version"] == VERSION


def test_the_manager_is_asked_before_and_not_each_time(make_client: Callable[..., Client]) -> None:
    client, clock = make_client(), Clock()
    sender = CastBatcher(client, clock)
    for _ in range(2):
        cast_at_once(client, sender=sender)
    assert client.asked == 1
    clock.now += casts.KNOWN_SECONDS
    # Enough to go together even if those who come first find too few others, and go alone.
    cast_at_once(client, 2 * MANY, sender)
    assert client.asked == 2


def test_broker_keeps_them_though_nobody_answers_soon(make_client: Callable[..., Client]) -> None:
    client = make_client()
    cast_at_once(client)
    assert client.options["timeout"] >= 24 * 3600
    assert client.options["call_monitor_timeout"] == casts.ANSWER_SECONDS


def test_few_casts_go_alone(make_client: Callable[..., Client]) -> None:
    client = make_client()
    few = SIDE_BY_SIDE + MIN_CASTS_OF_CALL - 1
    assert cast_at_once(client, few) == [None] * few
    assert not client.together
    assert numbers(client) == list(range(few))


def test_cap_that_allows_it_is_taken_at_its_word(make_client: Callable[..., Client]) -> None:
    client = make_client(VERSION)
    assert cast_at_once(client, 3) == [None] * 3
    assert [(how, len(sent)) for how, sent in client.together] == [("cast", 2)]


@pytest.mark.parametrize(("cap", "url"), [("1.0", "fake:"), ("1.1", "fake:"), (None, "zmq+ipc:///nowhere")])
def test_lower_cap_and_no_broker_mean_that_each_goes_alone(
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
@pytest.mark.parametrize("is_asked", [True, False], ids=["it is asked", "another one was"])
def test_what_an_older_manager_refuses_is_sent_as_it_reads_it_and_so_is_what_comes_after(
    make_client: Callable[..., Client], error: Exception, is_asked: bool
) -> None:
    client, clock = make_client(), Clock()
    sender = CastBatcher(client, clock)

    def refuse() -> None:
        raise error

    client.answer = refuse
    client.answer_if_asked = None if is_asked else lambda: None
    assert cast_at_once(client, sender=sender) == [None] * MANY
    assert sorted(arguments["method_kwargs"]["number"] for _, arguments in client.alone) == list(range(MANY))
    assert cast_at_once(client, sender=sender) == [None] * MANY
    assert (client.asked, len(client.together)) == (1, 0 if is_asked else 1)
    clock.now += casts.ALONE_SECONDS
    client.answer = lambda: None
    # Enough to go together even if those who come first find too few others, and go alone.
    before = len(client.together)
    assert cast_at_once(client, 2 * MANY, sender) == [None] * 2 * MANY
    assert len(client.together) > before


def test_manager_that_does_not_answer_has_not_lost_them(make_client: Callable[..., Client]) -> None:
    client = make_client()
    sender = CastBatcher(client)

    def keep_silent() -> None:
        raise oslo_messaging.MessagingTimeout

    client.answer = keep_silent
    client.answer_if_asked = lambda: None
    assert cast_at_once(client, sender=sender) == [None] * MANY
    assert numbers(client) == list(range(MANY))
    assert cast_at_once(client, sender=sender) == [None] * MANY
    assert len(client.together) == 1


def test_while_no_manager_answers_casts_wait_for_whichever_comes(make_client: Callable[..., Client]) -> None:
    """It may be of an older release, which drops what it cannot read, and tells nobody who waits no longer."""
    client, clock = make_client(), Clock()
    sender = CastBatcher(client, clock)

    def keep_silent() -> None:
        raise oslo_messaging.MessagingTimeout

    client.answer = keep_silent
    for asked in (1, 2):
        assert cast_at_once(client, 2 * MANY, sender) == [None] * 2 * MANY
        assert (client.asked, client.together) == (asked, [])
        clock.now += casts.ALONE_SECONDS
    assert len(client.alone) == 4 * MANY


def test_broker_that_does_not_take_them_is_an_error_of_each(make_client: Callable[..., Client]) -> None:
    client = make_client()

    def fail() -> None:
        raise oslo_messaging.MessageDeliveryFailure("no broker")

    client.answer = fail
    client.answer_if_asked = lambda: None
    raised = [error for error in cast_at_once(client) if error is not None]
    assert [(type(error), str(error)) for error in raised] == [(oslo_messaging.MessageDeliveryFailure, "no broker")] * 7
    assert len(set(map(id, raised))) == 7


def test_thread_that_is_interrupted_leaves_a_delivery_failure_to_the_others(make_client: Callable[..., Client]) -> None:
    client = make_client()

    def interrupt() -> None:
        raise KeyboardInterrupt

    client.answer = interrupt
    raised = cast_at_once(client)
    assert sorted(type(error).__name__ for error in raised if error is not None) == [
        "KeyboardInterrupt",
        *["MessageDeliveryFailure"] * 6,
    ]


def test_arguments_that_are_no_json_are_an_error_of_their_caller_alone(make_client: Callable[..., Client]) -> None:
    client = make_client(VERSION)
    sender = CastBatcher(client)
    ring: dict[str, Any] = {}
    ring["ring"] = ring
    with futures.ThreadPoolExecutor(2) as pool:
        arguments = {"cell_name": "east", "method_name": "note", "method_kwargs": {"number": 0}}
        first = pool.submit(sender.send, {}, arguments)
        wait_for(lambda: client.alone)
        with pytest.raises((ValueError, RecursionError)):
            sender.send({}, {**arguments, "method_kwargs": ring})
        client.gate.set()
        first.result(TIMEOUT_SECONDS)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", None, 7, ["x"], "[" * 100_000])
def test_what_is_no_cast_is_refused(text: object) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="JSON object"):
        unpack(text)


def test_what_newer_clients_add_is_ignored_and_what_is_missing_is_refused_later() -> None:
    assert unpack('{"cell_name": "east", "urgency": 3}') == {
        "ctxt": None,
        "cell_name": "east",
        "method_name": None,
        "method_kwargs": None,
    }
