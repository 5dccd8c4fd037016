"""Calls of services in dead, slow or failing cells, and of many cells with some such cells."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest

import cells.rpc
from cells import exceptions
from tests.integration.probe import TOPIC
from tests.integration.service_process import DEAD, FAR, PROBE, SERVING, Services
from tools.polling import poll

VICTIM = "victim"
MONITOR_SECONDS = 2
LONG_SECONDS = 7.0
#: Without monitoring the errors would arrive only after this time.
LONG_TIMEOUT_SECONDS = 60
NOTICED_SECONDS = 8.0
SLACK_SECONDS = 1.5


@pytest.fixture(scope="module")
def probe(deployed: Services) -> cells.rpc.RPCClient:
    return deployed.client("api", TOPIC, timeout=10)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def begin_work(pool: ThreadPoolExecutor, client: Any, mark: Path, seconds: float = LONG_SECONDS) -> Future[Any]:
    """Begin a slow call; return when the method runs."""
    done = pool.submit(client.call, {}, "work", mark=str(mark), seconds=seconds)
    poll(lambda: mark.exists() or done.done(), "the method runs")
    assert not done.done(), done.exception()
    return done


@contextmanager
def killed(deployed: Services, cell: str) -> Iterator[None]:
    """Kill the manager of a cell for the block; restart it at the end."""
    manager = deployed.tree[cell]
    manager.kill9()
    try:
        yield
    finally:
        manager.start().wait_ready()
    client = deployed.client("api", TOPIC, timeout=2, retry=0).prepare(cell=FAR)

    def works() -> bool:
        try:
            return bool(client.call({}, "echo", value=1))
        except cells.rpc.RPCException:
            return False

    poll(works, "the tree works again", 30)


def seconds_of(ask: Callable[[], object]) -> float:
    started = time.monotonic()
    ask()
    return time.monotonic() - started


# Many cells at once


def test_good_answers_come_at_once_and_the_others_are_named(probe: cells.rpc.RPCClient) -> None:
    started = time.monotonic()
    acts = {"az1": 30, "west": "out of order"}
    answers = probe.prepare(cells="down", timeout=4).multicall({}, "act", acts=acts)
    assert set(answers.cells) == {"api", "api!east", FAR, "api!west", f"api!{DEAD}"}
    came = {cell: (value, time.monotonic() - started) for cell, value in answers}
    assert time.monotonic() - started < 4 + SLACK_SECONDS
    assert answers.missing == []

    values = {cell: value for cell, (value, _) in came.items()}
    assert {cell: value for cell, value in values.items() if isinstance(value, str)} == {
        "api": "api",
        "api!east": "east",
    }
    assert max(came[cell][1] for cell in ("api", "api!east", "api!west")) < SLACK_SECONDS
    assert isinstance(values["api!west"], RuntimeError)
    assert "out of order" in str(values["api!west"])
    assert isinstance(values[FAR], cells.rpc.Timeout)
    assert "az1" in str(values[FAR])
    # Without a broker the failed delivery itself is known, not only the missing answer.
    assert isinstance(values[f"api!{DEAD}"], (cells.rpc.Timeout, cells.rpc.MessageDeliveryFailure))
    assert DEAD in str(values[f"api!{DEAD}"])


def test_enough_answers_end_it(probe: cells.rpc.RPCClient) -> None:
    started = time.monotonic()
    answers = probe.prepare(cells="down", need=2).multicall({}, "act", acts={"az1": 3, "west": "out of order"})
    values = [value for _, value in answers if not isinstance(value, Exception)]
    assert sorted(values) == ["api", "east"]
    assert time.monotonic() - started < 2
    assert FAR in answers.missing
    assert list(answers) == []


def test_cells_above(deployed: Services) -> None:
    up = deployed.client("az1", TOPIC, timeout=10).prepare(cells="up")
    assert dict(up.multicall({}, "act", acts={})) == {FAR: "az1", "api!east": "east", "api": "api"}


def test_list_of_cells(probe: cells.rpc.RPCClient) -> None:
    answers = dict(probe.prepare(cells=["az1", "api!west", "nowhere"]).multicall({}, "act", acts={}))
    assert isinstance(answers.pop("nowhere"), exceptions.CellNotFound)
    assert answers == {"az1": "az1", "api!west": "west"}


def test_cast_to_many_cells(probe: cells.rpc.RPCClient, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    probe.prepare(cells="down").cast({}, "note", mark=str(mark))
    poll(lambda: mark.exists() and len(mark.read_text().split()) == len(SERVING), "all cells have it")
    assert sorted(mark.read_text().split()) == sorted(SERVING)


# Picked cells


@pytest.mark.parametrize(
    ("requires", "cell"),
    [({"hypervisor": "kvm"}, "az1"), ({"hypervisor": "xen"}, "west"), ({"version": ">=2,<3"}, "az1")],
)
def test_a_cell_is_picked_by_its_capabilities(probe: cells.rpc.RPCClient, requires: dict[str, str], cell: str) -> None:
    somewhere = probe.prepare(cell=cells.rpc.any_cell(requires=requires), retry=0)

    def picked() -> Any:
        try:
            return somewhere.call({}, "act", acts={})
        except exceptions.NoCellsAvailable:
            return None

    # The capabilities must become known first.
    assert poll(picked, "a cell is picked") == cell


def test_no_cell_fulfils_the_requirements(probe: cells.rpc.RPCClient) -> None:
    with pytest.raises(exceptions.NoCellsAvailable) as caught:
        probe.prepare(cell=cells.rpc.any_cell(requires={"hypervisor": "vmware"})).call({}, "act", acts={})
    reasons = caught.value.reasons or {}
    assert set(reasons) == {"api", "api!east", "api!west", f"api!{DEAD}"}
    assert all("hypervisor" in reason for reason in reasons.values())
    assert all(cell in str(caught.value) for cell in reasons)


# Dead neighbors


def test_without_retries_a_dead_neighbor_is_an_error_at_once(
    probe: cells.rpc.RPCClient, deployed: Services, tmp_path: Path
) -> None:
    api = deployed.tree["api"]
    api.add_neighbor("gone", "child", unused_url(deployed, tmp_path))
    try:
        api.hup()
        gone = probe.prepare(cell="api!gone", timeout=LONG_TIMEOUT_SECONDS, retry=0)

        def is_known() -> bool:
            try:
                gone.cast({}, "act", acts={})
            except exceptions.CellNotFound:
                return False
            except cells.rpc.MessageDeliveryFailure:
                return True
            return False

        poll(is_known, "the neighbor is known")

        def ask() -> None:
            with pytest.raises(cells.rpc.MessageDeliveryFailure) as caught:
                gone.call({}, "act", acts={})
            assert isinstance(caught.value, oslo_messaging.MessageDeliveryFailure)
            assert "gone" in str(caught.value)
            with pytest.raises(cells.rpc.MessageDeliveryFailure):
                gone.cast({}, "act", acts={})

        # [cells] send_timeout of these trees is 3 seconds, for each of the two messages.
        assert seconds_of(ask) < 2 * 3 + SLACK_SECONDS
        # With retries the client tries until the timeout.
        patient = gone.prepare(timeout=2, retry=None)
        with pytest.raises((cells.rpc.MessageDeliveryFailure, cells.rpc.Timeout)):
            assert seconds_of(lambda: patient.call({}, "act", acts={})) < 2 + SLACK_SECONDS
    finally:
        api.succeed("neighbor", "delete", "gone")
        api.hup()


def unused_url(deployed: Services, tmp_path: Path) -> str:
    if deployed.tree.transports["api"].url.startswith("zmq"):
        return f"zmq+ipc://{tmp_path}"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"rabbit://guest:guest@127.0.0.1:{closed.getsockname()[1]}/"


def test_dead_manager_in_the_middle_is_noticed_in_time(deployed: Services, probe: cells.rpc.RPCClient) -> None:
    with killed(deployed, "east"):
        started = time.monotonic()
        with pytest.raises((cells.rpc.Timeout, cells.rpc.MessageDeliveryFailure)) as caught:
            probe.prepare(cell=FAR, timeout=2).call({}, "act", acts={})
        assert time.monotonic() - started < 2 + SLACK_SECONDS
        assert "east" in str(caught.value)


# Monitored calls


def test_a_monitored_call_ends_soon_after_its_server_dies(
    deployed: Services, probe: cells.rpc.RPCClient, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    victim = deployed.begin(PROBE, "az1", VICTIM).wait_ready()
    client = probe.prepare(cell=FAR, timeout=LONG_TIMEOUT_SECONDS, call_monitor_timeout=MONITOR_SECONDS)
    started = time.monotonic()
    good = begin_work(pool, client.prepare(server="az1"), tmp_path / "good")
    bad = begin_work(pool, client.prepare(server=VICTIM), tmp_path / "bad", LONG_TIMEOUT_SECONDS)
    victim.kill9()
    killed_at = time.monotonic()
    error = bad.exception(LONG_TIMEOUT_SECONDS)
    assert time.monotonic() - killed_at < NOTICED_SECONDS
    assert isinstance(error, cells.rpc.Timeout)
    assert "heartbeats" in str(error)
    assert good.result(LONG_TIMEOUT_SECONDS) == "az1 is done"
    assert LONG_SECONDS < time.monotonic() - started < LONG_SECONDS + 2 * SLACK_SECONDS


@pytest.mark.parametrize("cell", ["az1", "east"])
def test_long_call_ends_soon_after_a_manager_on_its_way(
    deployed: Services, probe: cells.rpc.RPCClient, pool: ThreadPoolExecutor, tmp_path: Path, cell: str
) -> None:
    client = probe.prepare(cell=FAR, timeout=LONG_TIMEOUT_SECONDS, call_monitor_timeout=MONITOR_SECONDS)
    asked = begin_work(pool, client, tmp_path / "mark")
    with killed(deployed, cell):
        killed_at = time.monotonic()
        error = asked.exception(LONG_TIMEOUT_SECONDS)
        assert time.monotonic() - killed_at < NOTICED_SECONDS
        # On a busy machine the work begins before the first hop has confirmed the request: then it may have arrived.
        assert isinstance(error, (cells.rpc.Timeout, cells.rpc.MessageDeliveryFailure))
        assert "az1" in str(error) or cell in str(error)
