"""Every wait ends: brokers, databases and managers that hang, are blocked, or are half gone (cases B)."""

from __future__ import annotations

import contextlib
import signal
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import amqp  # type: ignore[import-untyped]  # it has none
import oslo_messaging
import pytest
import sqlalchemy

import cells.rpc
from cells import conf as cells_conf
from cells import exceptions
from cells.rpcapi import CellsAPI
from cells.transport import open_transport
from tests.integration.processes import Tree
from tests.integration.rabbitmq import VirtualHostPool
from tools.broker_node import BrokerNode
from tools.forwarder import Forwarder
from tools.manager_process import Finished, ManagerProcess
from tools.polling import poll

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgresql, pytest.mark.long]

#: The commands that an operator uses first, and the limit of each.
FIRST_LOOK = (("status",), ("topology",), ("neighbor", "status"), ("ping", "api!east", "--timeout", "5"))
FIRST_LOOK_SECONDS = 6.0
#: Allowance for a busy machine; without a limit, these waits take 60 seconds and more.
SLACK_SECONDS = 15.0
TIMEOUT_SECONDS = 3.0
#: of a manager whose broker hangs, after its graceful_shutdown_timeout
EXIT_SECONDS = 15.0


def behind(forwarder: Forwarder, url: str) -> str:
    """Return ``url`` with the address of the forwarder."""
    parts = urllib.parse.urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{login}@127.0.0.1:{forwarder.port}".removeprefix("@")).geturl()


@pytest.fixture(scope="module")
def own_link(own_broker: BrokerNode) -> Iterator[Forwarder]:
    """Between all processes of cell api and their broker."""
    with contextlib.closing(Forwarder("127.0.0.1", own_broker.port)) as forwarder:
        yield forwarder


@pytest.fixture(scope="module")
def east_link(rabbitmq: VirtualHostPool) -> Iterator[tuple[Forwarder, str]]:
    """Between cell api and the broker of cell east, with east's own URL."""
    url = rabbitmq.take()
    parts = urllib.parse.urlsplit(url)
    with contextlib.closing(Forwarder(parts.hostname or "127.0.0.1", parts.port or 5672)) as forwarder:
        yield forwarder, url


@pytest.fixture(scope="module")
def database_link(postgresql_url: str) -> Iterator[Forwarder]:
    parts = urllib.parse.urlsplit(postgresql_url)
    with contextlib.closing(Forwarder(parts.hostname or "127.0.0.1", parts.port or 5432)) as forwarder:
        yield forwarder


@pytest.fixture(scope="module")
def tree(
    tmp_path_factory: pytest.TempPathFactory,
    own_broker: BrokerNode,
    own_link: Forwarder,
    east_link: tuple[Forwarder, str],
    postgresql_url: str,
    database_link: Forwarder,
) -> Iterator[Tree]:
    """Cell api on a broker of its own, its child east on the broker of the machine."""
    tree = Tree(
        tmp_path_factory.mktemp("waits"),
        {"api": {"east": {}}},
        lambda: "",
        urls={"api": behind(own_link, own_broker.url("a")), "east": behind(*east_link)},
        connections={"api": behind(database_link, postgresql_url)},
        options={"cells": {"call_timeout": 60}, "DEFAULT": {"graceful_shutdown_timeout": 5}},
    )
    try:
        yield tree.start()
    finally:
        tree.stop()


@pytest.fixture
def api(tree: Tree) -> Iterator[ManagerProcess]:
    """The manager of cell api, healthy before and after the test."""
    poll(lambda: is_healthy(tree["api"]), "the tree works", 60)
    yield tree["api"]
    poll(lambda: is_healthy(tree["api"]), "the tree works again", 60)


def is_healthy(manager: ManagerProcess) -> bool:
    return manager.cells("ping", "api!east", "--timeout", "5").returncode == 0


@contextlib.contextmanager
def frozen(broker: BrokerNode) -> Iterator[None]:
    broker.freeze()
    try:
        yield
    finally:
        broker.thaw()


@contextlib.contextmanager
def stalled(forwarder: Forwarder) -> Iterator[None]:
    forwarder.stall()
    try:
        yield
    finally:
        forwarder.resume()


@contextlib.contextmanager
def frozen_manager(manager: ManagerProcess) -> Iterator[None]:
    manager.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        manager.signal(signal.SIGCONT)


@contextlib.contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold the lock of a session that alters the table of neighbors."""
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE cells")
            yield
    finally:
        engine.dispose()


@pytest.mark.parametrize("problem", ["broker-blocked", "broker-frozen", "neighbor-away", "manager-frozen", "locked"])
def test_commands_for_a_first_look(
    api: ManagerProcess,
    own_broker: BrokerNode,
    east_link: tuple[Forwarder, str],
    postgresql_url: str,
    problem: str,
) -> None:
    """Cases B1, B2 and B3: each command ends in time, with one line on stderr at most."""
    problems: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
        "broker-blocked": own_broker.blocked,
        "broker-frozen": lambda: frozen(own_broker),
        "neighbor-away": lambda: stalled(east_link[0]),
        "manager-frozen": lambda: frozen_manager(api),
        "locked": lambda: locked(postgresql_url),
    }
    healthy_seconds, answers = first_look(api)
    assert {done.returncode for done in answers.values()} == {0}
    with problems[problem]():
        seconds, answers = first_look(api)
    # On a busy machine, most of the time is the start of Python.
    assert seconds < FIRST_LOOK_SECONDS + 2 * healthy_seconds
    for words, done in answers.items():
        assert "Traceback" not in done.stderr, words
        if problem.startswith("broker"):
            assert done.returncode != 0, words
            assert "broker" in done.stderr, words


def first_look(manager: ManagerProcess) -> tuple[float, dict[tuple[str, ...], Finished]]:
    """Run the commands side by side; return the seconds until the last one ends, and the results."""
    started = time.monotonic()
    running = {words: manager.begin(*words) for words in FIRST_LOOK}
    answers = {words: finish(50.0) for words, finish in running.items()}
    return time.monotonic() - started, answers


@pytest.fixture
def clients(tree: Tree) -> Iterator[tuple[CellsAPI, Any]]:
    """Clients of both kinds with a short timeout; they have their connections already."""
    conf = cells_conf.load([tree["api"].config_file])
    transports = [open_transport(conf) for _ in range(2)]
    api = CellsAPI(transports[0], timeout=TIMEOUT_SECONDS, send_timeout=TIMEOUT_SECONDS)
    rpc = cells.rpc.get_rpc_client(transports[1], oslo_messaging.Target(topic="none"), timeout=TIMEOUT_SECONDS)
    poll(lambda: api.neighbors({}), "the client works", 30)
    with contextlib.suppress(cells.rpc.RPCException, oslo_messaging.MessagingException):
        rpc.prepare(cell="api").call({}, "none")
    try:
        yield api, rpc
    finally:
        for transport in transports:
            transport.cleanup()


REQUESTS: dict[str, Callable[[CellsAPI, Any], object]] = {
    "call": lambda api, _: api.call({}, "api", "ping"),
    "cast": lambda api, _: api.cast({}, "api", "ping"),
    "report": lambda api, _: api.report_capacities({}, {"slots": 1}),
    "status": lambda api, _: api.status({}),
    "rpc call": lambda _, rpc: rpc.prepare(cell="api").call({}, "none"),
    "rpc cast": lambda _, rpc: rpc.prepare(cell="api").cast({}, "none"),
    "rpc multicall": lambda _, rpc: list(rpc.prepare(cells="down").multicall({}, "none")),
    "rpc in this cell": lambda _, rpc: rpc.call({}, "none"),
}


@pytest.mark.parametrize("problem", [BrokerNode.blocked, frozen])
def test_requests_to_an_own_broker_that_takes_no_message(
    api: ManagerProcess,
    clients: tuple[CellsAPI, Any],
    own_broker: BrokerNode,
    problem: Callable[[BrokerNode], contextlib.AbstractContextManager[None]],
) -> None:
    """Case B1: each request ends at its timeout, with an error that names the broker and the reason."""

    def ask(how: str) -> tuple[float, str]:
        started = time.monotonic()
        with pytest.raises(oslo_messaging.MessageDeliveryFailure) as caught:
            REQUESTS[how](*clients)
        return time.monotonic() - started, str(caught.value)

    with problem(own_broker), futures.ThreadPoolExecutor(len(REQUESTS)) as pool:
        asked = {how: pool.submit(ask, how) for how in REQUESTS}
        for how, answer in asked.items():
            seconds, text = answer.result()
            assert seconds < TIMEOUT_SECONDS + SLACK_SECONDS, how
            assert "/a" in text, how
            assert ("blocks publishers" in text) is (problem is BrokerNode.blocked), how
    poll(lambda: clients[0].neighbors({}), "the client works again", 60)


def test_calls_to_a_frozen_manager(api: ManagerProcess, clients: tuple[CellsAPI, Any]) -> None:
    """Case B3: the timeout is that of the caller."""
    with frozen_manager(api):
        started = time.monotonic()
        with pytest.raises(exceptions.ManagerTimeout):
            clients[0].call({}, "api!east", "ping", timeout=TIMEOUT_SECONDS)
        # The client used to wait for five seconds more.
        assert TIMEOUT_SECONDS <= time.monotonic() - started < TIMEOUT_SECONDS + 4


def test_casts_of_many_threads_to_a_manager_that_stops(api: ManagerProcess, clients: tuple[CellsAPI, Any]) -> None:
    """Case B3: each cast returns when its broker has it, after the wait for the manager at the latest."""

    def cast(_number: int) -> float:
        started = time.monotonic()
        clients[0].cast({}, "api", "ping")
        return time.monotonic() - started

    with frozen_manager(api), futures.ThreadPoolExecutor(32) as pool:
        assert max(pool.map(cast, range(64))) < 2 * TIMEOUT_SECONDS + 3


def test_half_open_connections_to_the_own_broker(api: ManagerProcess, own_link: Forwarder) -> None:
    """Case B4: the manager notices them after 10 to 20 seconds; it used to be deaf for two minutes."""
    own_link.half_open()
    poll(lambda: is_healthy(api), "the manager has new connections", 45)


def test_what_an_operator_deletes_from_the_own_broker(api: ManagerProcess, tree: Tree, own_broker: BrokerNode) -> None:
    """Case B5: consumers declare their exchanges, queues and bindings again."""
    base = "cells.intercell.targeted"
    with amqp.Connection(f"127.0.0.1:{own_broker.port}", userid="guest", password="guest", virtual_host="a") as login:
        login.channel().queue_unbind(base, "openstack", base)
        poll(lambda: tree["east"].cells("ping", "api", "--timeout", "3").returncode == 0, "the binding is back", 45)
        login.channel().queue_delete(base)
        poll(lambda: tree["east"].cells("ping", "api", "--timeout", "3").returncode == 0, "the queue is back", 45)
        for exchange in ("openstack", f"{base}_fanout", "cells_fanout"):
            login.channel().exchange_delete(exchange)
    poll(lambda: tree["east"].cells("ping", "api", "--timeout", "3").returncode == 0, "the exchange is back", 45)


def test_signals_while_the_database_is_silent(api: ManagerProcess, database_link: Forwarder) -> None:
    """Case B2: SIGHUP asks a silent database, and SIGTERM ends the process meanwhile."""
    with stalled(database_link):
        before = len(api.log())
        api.hup()
        poll(lambda: "DatabaseUnavailable" in api.log()[before:] or "database" in api.log()[before:], "it is told", 30)
        api.hup()
        started = time.monotonic()
        assert api.terminate(EXIT_SECONDS + SLACK_SECONDS) == 0
        assert time.monotonic() - started < EXIT_SECONDS
    api.start().wait_ready()


def test_a_stop_while_the_own_broker_is_frozen(api: ManagerProcess, own_broker: BrokerNode) -> None:
    """Case B2: SIGTERM ends a running manager, and one that has not started yet."""
    with frozen(own_broker):
        for _ in range(2):
            started = time.monotonic()
            api.terminate(2 * EXIT_SECONDS + SLACK_SECONDS)
            assert time.monotonic() - started < 2 * EXIT_SECONDS
            before = api.log().count("Patches applied")
            api.start()
            poll(lambda n=before: api.log().count("Patches applied") > n, "the process has begun", 30)
    api.wait_ready(60)
