"""Managers that are killed, stopped, duplicated and restarted while calls are in flight."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from cells import exceptions
from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from tests.integration import snooze
from tests.integration.clients import ConnectTo
from tests.integration.processes import Tree, make_manager
from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.transports import Linked, Transports
from tools.manager_process import COMMAND_TIMEOUT_SECONDS, ManagerProcess
from tools.polling import poll

pytestmark = pytest.mark.long

TIMEOUT_SECONDS = 4
#: [cells] send_timeout in these trees
SEND_TIMEOUT_SECONDS = 3
#: allowance for the start of a command and a busy machine
SLACK_SECONDS = 6


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, linked: Linked) -> Iterator[Tree]:
    tree = Tree(
        tmp_path_factory.mktemp("failures"),
        {"api": {"east": {"az1": {}}}},
        linked.transports.take,
        links=linked.links,
        addresses={"east": 2},
        env=snooze.install(tmp_path_factory.mktemp("snooze")),
    )
    try:
        yield tree.start()
    finally:
        tree.stop()


def test_middle_manager_killed_in_the_middle_of_a_call(tree: Tree, tmp_path: Path) -> None:
    mark = tmp_path / "called"
    finish = tree["api"].begin("call", "az1", "snooze", "seconds:=1", f"mark={mark}", "--timeout", str(TIMEOUT_SECONDS))
    poll(mark.exists, "the call has arrived")
    tree["east"].kill9()
    try:
        done = finish(COMMAND_TIMEOUT_SECONDS)
        assert done.returncode == 2
        # The error comes from the manager, which answers before the client's timeout, and names the missing cell.
        assert "api > east > az1) did not answer snooze" in done.stderr
    finally:
        tree["east"].start(tree.env).wait_ready()
    poll(lambda: tree["api"].cells("ping", "az1", "--count", "1").returncode == 0, "the tree works again")
    tree.wait_formed()


def test_an_expired_call_does_not_run_when_its_cell_returns(tree: Tree, tmp_path: Path) -> None:
    given_up, mark = tmp_path / "given up", tmp_path / "called"
    tree["az1"].kill9()
    started = time.monotonic()
    try:
        done = tree["api"].cells("call", "az1", "snooze", "seconds:=0", f"mark={given_up}", "--timeout", "1")
        assert done.returncode == 2
        # In a broker's queue it waits at most for the time that the broker may take to accept it.
        poll(lambda: time.monotonic() - started > SEND_TIMEOUT_SECONDS + 1, "its time is over")
    finally:
        tree["az1"].start(tree.env).wait_ready()
    tree.wait_formed()
    tree["api"].succeed("call", "az1", "snooze", "seconds:=0", f"mark={mark}", "--timeout", "10")
    assert mark.exists()
    assert not given_up.exists()


def test_a_frozen_manager_is_a_timeout_and_continues_afterwards(tree: Tree) -> None:
    tree["az1"].signal(signal.SIGSTOP)
    try:
        done = tree["api"].cells("call", "az1", "ping", "--timeout", str(TIMEOUT_SECONDS))
        assert done.returncode == 2
        # As above.  Over zmq and direct links the last link reports it; a client that gives up knows only its manager.
        assert "az1" in done.stderr
        assert "ManagerTimeout" not in done.stderr
        # One silent cell in a broadcast is one failure; the others answer.  At version 1.0 relays
        # only know [cells] call_timeout.
        broadcast = tree["api"].cells("broadcast", "ping", "-f", "json")
        cells = {answer["cell"]: answer["error"] for answer in json.loads(broadcast.stdout)}
        assert {cell for cell, error in cells.items() if not error} == {"api", "api!east"}
        assert {cell for cell, error in cells.items() if error} == {"api!east!az1"}
    finally:
        tree["az1"].signal(signal.SIGCONT)
    poll(lambda: tree["api"].cells("ping", "az1", "--count", "1").returncode == 0, "it answers again")


@pytest.mark.parametrize("stopped", ["az1", "api"])
def test_sigterm_finishes_the_call_that_is_under_way(tree: Tree, tmp_path: Path, stopped: str) -> None:
    mark = tmp_path / "called"
    finish = tree["api"].begin("call", "az1", "snooze", "seconds:=2", f"mark={mark}", "--timeout", "10")
    try:
        poll(mark.exists, "the call has arrived")
        started = time.monotonic()
        assert tree[stopped].terminate() == 0
        assert time.monotonic() - started < 10
        done = finish(15)
        assert done.returncode == 0, done.stderr
        assert "awake" in done.stdout
        assert "Traceback" not in tree[stopped].log()
    finally:
        tree[stopped].stop()
        tree[stopped].start(tree.env).wait_ready()
    tree.wait_formed()


def test_idle_manager_ends_at_once(tree: Tree) -> None:
    started = time.monotonic()
    assert tree["east"].terminate() == 0
    assert time.monotonic() - started < SLACK_SECONDS
    tree["east"].start(tree.env).wait_ready()
    tree.wait_formed()


def test_command_says_at_once_that_no_manager_is_there(tmp_path: Path, transports: Transports) -> None:
    manager = make_manager(tmp_path, "solo", transports.take())
    manager.sync_database()

    def ask() -> str:
        started = time.monotonic()
        done = manager.cells("status")
        assert time.monotonic() - started < TIMEOUT_SECONDS + SLACK_SECONDS
        assert done.returncode == 2
        return done.stderr

    try:
        assert "Start cells-manager" in ask()  # the cell never ran, so there is no queue
        manager.start().wait_ready()
        assert manager.cells("status").returncode == 0
        assert manager.terminate() == 0
        assert "Start cells-manager" in ask()  # the queue still exists
    finally:
        manager.stop()


def test_two_managers_of_a_cell_share_the_load(tree: Tree, connect_to: ConnectTo, linked: Linked) -> None:
    east, second = tree["east"], tree.make_second("east")
    from_above, from_here = connect_to(tree["api"]), connect_to(east)
    try:
        second.start(tree.env).wait_ready()
        hosts = {answer["host"] for answer in calls(from_above, "east", 40)}
        assert hosts == {"east", "east-2"}
        # The answers to the calls of each manager return to that manager.
        assert {answer["path"] for answer in calls(from_here, "az1", 40)} == {"api!east!az1"}
        assert {answer["path"] for answer in calls(from_here, "api", 40)} == {"api"}

        second.kill9()
        poll(
            lambda: linked.transports.consumers(tree.transports["east"]) == 1,
            "it is known to be gone",
            timeout_seconds=20,
        )
        assert {answer["host"] for answer in calls(from_above, "east", 20)} == {"east"}
        assert {answer["path"] for answer in calls(from_here, "az1", 20)} == {"api!east!az1"}
    finally:
        second.stop()


def test_one_of_two_managers_is_killed_with_calls_under_way(tree: Tree, tmp_path: Path, connect_to: ConnectTo) -> None:
    east, from_above = tree["east"], connect_to(tree["api"])
    second = tree.make_second("east")
    alarm = tmp_path / "alarm"

    def ask(mark: Path) -> str:
        kwargs = {"seconds": TIMEOUT_SECONDS + SLACK_SECONDS, "mark": str(mark), "alarm": str(alarm)}
        try:
            return str(from_above.call(get_admin_context(), "east", "snooze", kwargs, timeout=TIMEOUT_SECONDS))
        except exceptions.CallTimeout:
            return "timeout"

    try:
        second.start(tree.env).wait_ready()
        killed, survivor = str(second.running.pid), str(east.running.pid)
        waiting: dict[Path, Future[str]] = {}
        asked: dict[Path, str] = {}
        with ThreadPoolExecutor(64) as pool:
            started = time.monotonic()
            # Calls that are sent at the same time may share a cast, and reach one manager: then more calls follow.
            while set(asked.values()) != {killed, survivor}:
                for _ in range(4):
                    mark = tmp_path / f"mark-{len(waiting)}"
                    waiting[mark] = pool.submit(ask, mark)
                poll(lambda: all(mark.exists() and mark.read_text() for mark in waiting), "all calls have arrived")
                asked = {mark: mark.read_text().strip() for mark in waiting}
            second.kill9()
            alarm.touch()
            answers = {mark: future.result(TIMEOUT_SECONDS + SLACK_SECONDS) for mark, future in waiting.items()}
            assert time.monotonic() - started < TIMEOUT_SECONDS + SLACK_SECONDS
        assert {mark: mark.read_text().split() for mark in waiting} == {mark: [pid] for mark, pid in asked.items()}
        assert answers == {mark: "timeout" if pid == killed else "awake" for mark, pid in asked.items()}
        again = [tmp_path / f"again-{number}" for number in range(4)]
        assert [ask(mark) for mark in again] == ["awake"] * 4
    finally:
        second.stop()


def calls(api: CellsAPI, cell: str, count: int) -> list[dict[str, str]]:
    """Return the answers to ``count`` pings, eight at a time."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: api.call(get_admin_context(), cell, "ping"), range(count)))


def test_systemd_is_notified_when_the_manager_consumes(tmp_path: Path, transports: Transports) -> None:
    transport = transports.take()
    manager = make_manager(tmp_path, "solo", transport)
    manager.sync_database()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
        notifications.bind(str(tmp_path / "notify"))
        notifications.settimeout(30)
        try:
            manager.start({"NOTIFY_SOCKET": str(tmp_path / "notify")})
            assert b"READY=1" in notifications.recv(4096)
            # The call follows the report at once.
            assert transports.consumers(transport) == 1
            manager.wait_ready()
            assert manager.terminate() == 0
        finally:
            manager.stop()


def test_a_manager_stops_at_once_while_its_broker_is_down(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        manager = ManagerProcess(tmp_path, "solo", f"rabbit://guest:guest@127.0.0.1:{unused.getsockname()[1]}/")
        manager.sync_database()
        try:
            manager.start()
            poll(lambda: "Connection refused" in manager.log(), "it looks for its broker")
            manager.signal(signal.SIGTERM)
            assert manager.running.wait(5) == 0
        finally:
            manager.stop()


@pytest.mark.rabbitmq
def test_not_ready_without_its_broker(tmp_path: Path, rabbitmq: VirtualHostPool) -> None:
    url = urllib.parse.urlsplit(rabbitmq.take())
    wrong = url._replace(netloc=f"guest:wrong@{url.hostname}:{url.port or 5672}").geturl()
    manager = ManagerProcess(tmp_path, "solo", wrong)
    manager.sync_database()
    try:
        manager.start()
        poll(lambda: "[DEFAULT] transport_url" in manager.log(), "it names the option")
        assert " is ready " not in manager.log()
        assert "wrong" not in manager.log()
        manager.signal(signal.SIGTERM)
        manager.running.wait(15)
    finally:
        manager.stop()
