"""Concurrent casts of one client: each arrives once, in the order of its thread, with managers of any releases."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import oslo_messaging
import pytest

from cells import conf as cells_conf
from cells import exceptions
from cells.context import RequestContext
from cells.endpoints import Call, endpoint
from cells.rpcapi import CellsAPI, casts
from cells.transport import open_transport
from cells.transport import server as rpc_server
from tests.functional.cell_tree import CellTree, wait_for

THREADS = 16
CASTS = 15


class Arrivals:
    """Calls of the endpoint ``arrive``, in order: thread, number, and user of the context."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int, Any]] = []

    def endpoint(self) -> Any:
        # Threads of endpoints would overtake each other.
        @endpoint(blocks=False)
        def arrive(call: Call, thread: int, number: int) -> None:
            self.taken.append((thread, number, call.context_values.get("user_id")))

        return arrive


class Requests:
    """Return the number of requests of each kind that the managers of a cell have received."""

    def __init__(self, tree: CellTree, monkeypatch: pytest.MonkeyPatch) -> None:
        self.many = 0
        self.alone = 0
        self._lock = threading.Lock()
        for service in tree["api"].managers:
            for name in ("cast", "cast_many"):
                self._note(service.manager, name, monkeypatch)

    def _note(self, manager: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        do = getattr(manager, name)

        def noted(ctxt: dict[str, Any], **arguments: Any) -> None:
            with self._lock:
                self.many += name == "cast_many"
                self.alone += name == "cast"
            do(ctxt, **arguments)

        monkeypatch.setattr(manager, name, noted)


@pytest.fixture
def arrivals() -> Arrivals:
    return Arrivals()


@pytest.fixture
def tree(arrivals: Arrivals) -> Iterator[CellTree]:
    with CellTree({"api": {"east": {}}}, managers={"api": 2}, endpoints=[arrivals.endpoint()]) as tree:
        yield tree


@pytest.fixture
def broker() -> Iterator[Any]:
    """Transport with a queue that managers share; the transport of the tree has none."""
    transport = open_transport(cells_conf.load([]), "fake:", ["cells.exceptions"])
    yield transport
    transport.cleanup()


@pytest.fixture
def serve(tree: CellTree, broker: Any) -> Iterator[Callable[..., None]]:
    """Factory of servers for the managers of the cell ``api``, each with a version of the API."""
    servers: list[Any] = []

    def start(*versions: str) -> None:
        for number, version in enumerate(versions):
            manager = tree["api"].managers[number].manager
            manager.target = oslo_messaging.Target(version=version)
            target = oslo_messaging.Target(topic="cells", server=f"m{number}")
            servers.append(rpc_server.get_server(broker, target, [manager]))
            servers[-1].start()

    yield start
    for server in servers:
        server.stop()
        server.wait()


def cast_from_threads(api: CellsAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cast from all threads; the first casts stay in flight until all threads have cast, as with a busy broker."""
    sender, started = api._casts, []
    send = sender._client.transport._send
    have_come = threading.Event()

    def send_slowly(*arguments: Any, **options: Any) -> Any:
        started.append(1)
        if not have_come.is_set():
            wait_for(
                lambda: len(sender._group._waiting) + len(started) >= THREADS or have_come.is_set(),
                "all threads have cast",
            )
            have_come.set()
        return send(*arguments, **options)

    monkeypatch.setattr(sender._client.transport, "_send", send_slowly)

    def work(thread: int) -> None:
        context = RequestContext(user_id=f"user-{thread}")
        for number in range(CASTS):
            api.cast(context, "east", "arrive", {"thread": thread, "number": number})

    with futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


def assert_all_arrived(arrivals: Arrivals, *, in_order: bool) -> None:
    wait_for(lambda: len(arrivals.taken) >= THREADS * CASTS, "all casts arrive")
    by_thread = {thread: [each for each in arrivals.taken if each[0] == thread] for thread in range(THREADS)}
    if not in_order:
        by_thread = {thread: sorted(taken) for thread, taken in by_thread.items()}
    assert by_thread == {
        thread: [(thread, number, f"user-{thread}") for number in range(CASTS)] for thread in range(THREADS)
    }


@pytest.mark.parametrize("cap", [None, "1.0", "1.1", "1.2"])
def test_each_cast_arrives_once_with_its_context_in_the_order_of_its_thread(
    tree: CellTree,
    broker: Any,
    serve: Callable[..., None],
    arrivals: Arrivals,
    monkeypatch: pytest.MonkeyPatch,
    cap: str | None,
) -> None:
    requests = Requests(tree, monkeypatch)
    serve("1.2")
    cast_from_threads(CellsAPI(broker, version_cap=cap), monkeypatch)
    assert_all_arrived(arrivals, in_order=True)
    assert bool(requests.many) == (cap in (None, "1.2"))
    assert not [name for name in tree["api"].counters() if name.startswith(("refused", "rejected"))]


@pytest.mark.parametrize("versions", [("1.1",), ("1.1", "1.2"), ("1.2", "1.1"), ("1.2", "1.2")])
def test_no_cast_is_lost_with_managers_of_any_releases(
    broker: Any,
    serve: Callable[..., None],
    arrivals: Arrivals,
    monkeypatch: pytest.MonkeyPatch,
    versions: Sequence[str],
) -> None:
    # Repeated, so that each manager gets a request.
    monkeypatch.setattr(casts, "ALONE_SECONDS", 0.0)
    serve(*versions)
    cast_from_threads(CellsAPI(broker), monkeypatch)
    assert_all_arrived(arrivals, in_order=len(versions) == 1)


def test_a_failing_cast_affects_no_other_cast(tree: CellTree, arrivals: Arrivals) -> None:
    def cast(**changes: Any) -> str:
        addressed = {"ctxt": {"user_id": "ada"}, "cell_name": "east", "method_name": "arrive"}
        return json.dumps({**addressed, "method_kwargs": {"thread": 0, "number": 1}, **changes})

    manager = tree["api"].service.manager
    with pytest.raises(exceptions.InvalidArguments):
        manager.cast_many({}, "no list")
    invalid = ["{", cast(cell_name="nowhere"), cast(cell_name=7), cast(method_name=None), cast(method_kwargs=[])]
    manager.cast_many({}, [*invalid, cast(ctxt=None, method_kwargs={"thread": 0, "number": 0}), cast()])
    wait_for(lambda: len(arrivals.taken) == 2, "two casts arrive")
    assert arrivals.taken == [(0, 0, None), (0, 1, "ada")]
    counters = tree["api"].counters()
    assert counters["refused.CellNotFound"] == 1
    assert counters["refused.InvalidArguments"] >= 3
