"""Multicalls: answers arrive at once, and each cell without an answer is named."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import cells.rpc
from cells import exceptions
from cells.testing import CellTree
from tests.functional.cell_tree import TIMEOUT_SECONDS, wait_for

SHAPE = {"api": {"dead": {}, "failing": {}, "good": {"az1": {}}, "slow": {}}}
PATHS = {"api": "api", "good": "api!good", "az1": "api!good!az1", "slow": "api!slow", "failing": "api!failing"}


class Inventory:
    def __init__(self, path: str) -> None:
        self.path = path
        self.gate = threading.Event()
        self.seen: queue.SimpleQueue[str] = queue.SimpleQueue()

    def where(self, ctxt: dict[str, Any]) -> str:
        self.seen.put(self.path)
        if self.path.endswith("failing"):
            raise LookupError("no")
        if self.path.endswith("slow"):
            assert self.gate.wait(TIMEOUT_SECONDS)
        return self.path

    def note(self, ctxt: dict[str, Any], word: str) -> None:
        self.seen.put(word)


class Deployment:
    def __init__(self, tree: CellTree) -> None:
        self.tree = tree
        self.services = {name: Inventory(path) for name, path in PATHS.items()}
        for name, service in self.services.items():
            tree[name].serve("inventory", service)
        # Unreachable for calls but alive for the managers, which would otherwise forget the cell.
        self.link = tree.link("api", "dead")

    def client(self, source: str = "api", timeout: float = TIMEOUT_SECONDS, **where: Any) -> Any:
        return self.tree[source].client("inventory", timeout=timeout).prepare(**where)

    @property
    def open_multicalls(self) -> int:
        return sum(
            len(manager.service_calls._streams) for cell in self.tree.cells.values() for manager in cell.managers
        )


@pytest.fixture(scope="module")
def shared() -> Iterator[Deployment]:
    with CellTree(SHAPE) as tree:
        deployed = Deployment(tree)
        yield deployed
        # A call that the previous test abandoned may have started only now.
        deployed.services["slow"].gate.set()


@pytest.fixture
def deployment(shared: Deployment) -> Iterator[Deployment]:
    yield shared
    for service in shared.services.values():
        service.gate.set()
        while not service.seen.empty():
            service.seen.get()
    try:
        wait_for(lambda: shared.open_multicalls == 0, "no manager keeps any state of the call")
    finally:
        shared.services["slow"].gate.clear()


def test_good_answers_come_at_once_and_the_three_others_are_named(deployment: Deployment) -> None:
    with deployment.link.cut():
        answers = deployment.client(timeout=1, cells="down").multicall({}, "where")
        assert set(answers.cells) == {*PATHS.values(), "api!dead"}
        came = dict(answers)
    good, order = {"api", "api!good", "api!good!az1"}, list(came)
    assert max(map(order.index, good)) < order.index("api!slow"), "an answer waited for the slow cell"
    assert {cell: came.pop(cell) for cell in good} == {cell: cell for cell in good}
    assert came.keys() == {"api!dead", "api!failing", "api!slow"}
    assert isinstance(came["api!failing"], LookupError)
    assert isinstance(came["api!slow"], cells.rpc.Timeout)
    assert isinstance(came["api!dead"], cells.rpc.MessageDeliveryFailure)
    assert answers.missing == []


def test_a_multicall_ends_after_the_needed_number_of_values(deployment: Deployment) -> None:
    with deployment.client(cells="down", need=3).multicall({}, "where") as answers:
        good = [cell for cell, value in answers if not isinstance(value, Exception)]
    assert sorted(good) == ["api", "api!good", "api!good!az1"]
    assert "api!slow" in answers.missing


def test_upward_and_by_name(deployment: Deployment) -> None:
    assert dict(deployment.client("az1", cells="up").multicall({}, "where")) == {
        cell: cell for cell in ("api", "api!good", "api!good!az1")
    }
    named = dict(deployment.client("az1", cells=["api!good", "api", "api!good"]).multicall({}, "where"))
    assert named == {"api!good": "api!good", "api": "api"}


def test_an_unknown_cell_does_not_affect_the_others(deployment: Deployment) -> None:
    came = dict(deployment.client(cells=["good", "nowhere"]).multicall({}, "where"))
    assert came["good"] == "api!good"
    assert isinstance(came["nowhere"], exceptions.CellNotFound)


def test_no_cells_have_no_answers(deployment: Deployment) -> None:
    assert list(deployment.client(cells=[]).multicall({}, "where")) == []


def test_a_multicall_that_is_closed_early_leaves_no_state(deployment: Deployment) -> None:
    with deployment.client(cells="down").multicall({}, "where") as answers:
        next(answers)
    answers.close()
    assert list(answers) == []
    assert "api!slow" in answers.missing


def test_many_successive_multicalls_fill_no_table(deployment: Deployment) -> None:
    for _ in range(20):
        assert len(list(deployment.client(cells=["api", "good"]).multicall({}, "where"))) == 2
    assert deployment.open_multicalls == 0


def test_a_cast_goes_to_all_given_cells_or_all_below(deployment: Deployment) -> None:
    deployment.client(cells="down").cast({}, "note", word="below")
    for service in deployment.services.values():
        assert service.seen.get(timeout=TIMEOUT_SECONDS) == "below"
    deployment.client("az1", cells=["api", "api!slow"]).cast({}, "note", word="named")
    for name in ("api", "slow"):
        assert deployment.services[name].seen.get(timeout=TIMEOUT_SECONDS) == "named"
    assert all(service.seen.empty() for service in deployment.services.values())


def test_a_failed_cast_to_many_cells_names_the_cells(deployment: Deployment) -> None:
    with deployment.link.cut(), pytest.raises(cells.rpc.MessageDeliveryFailure, match="dead"):
        deployment.client(cells=["dead", "good"]).cast({}, "note", word="x")
    assert deployment.services["good"].seen.get(timeout=TIMEOUT_SECONDS) == "x"
    with pytest.raises(cells.rpc.MessageDeliveryFailure, match=r"here: .*there: "):
        deployment.client(cells=["here", "good", "there"]).cast({}, "note", word="y")


def test_a_call_of_many_cells_has_to_be_a_multicall(deployment: Deployment) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="multicall"):
        deployment.client(cells="down").call({}, "where")
    with pytest.raises(exceptions.InvalidArguments, match="prepare"):
        deployment.client(cell="good").multicall({}, "where")


def test_a_restart_of_the_manager_ends_pending_multicalls(deployment: Deployment) -> None:
    answers = deployment.client(cells=["slow", "good"]).multicall({}, "where")
    assert next(answers) == ("good", "api!good")
    for manager in deployment.tree["api"].managers:
        manager.service_calls._streams._streams.clear()
    started = time.monotonic()
    ((cell, error),) = list(answers)
    assert time.monotonic() - started < TIMEOUT_SECONDS / 2
    assert cell == "slow"
    assert isinstance(error, cells.rpc.Timeout)
