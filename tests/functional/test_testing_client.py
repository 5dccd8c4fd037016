"""Client of a service in a test tree: answers, and the error of each fault."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import cells.rpc
from cells import exceptions
from cells.testing import CellTree, TreeCell
from tests.functional.cell_tree import wait_for

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}
PATHS = ["api", "api!east", "api!east!az1", "api!west"]


class Inventory:
    """Service that records its callers."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.contexts: list[dict[str, Any]] = []

    def where(self, ctxt: dict[str, Any]) -> str:
        self.contexts.append(ctxt)
        return self.path


@pytest.fixture(scope="module")
def shared_tree() -> Iterator[CellTree]:
    with CellTree(SHAPE) as tree:
        yield tree


@pytest.fixture
def tree(shared_tree: CellTree) -> Iterator[CellTree]:
    yield shared_tree
    for ends in (("api", "east"), ("east", "az1"), ("api", "west")):
        shared_tree.link(*ends).restore()
    for cell in shared_tree.cells.values():
        cell.stop_services()


@pytest.fixture
def inventories(tree: CellTree) -> dict[str, Inventory]:
    served = {path: Inventory(path) for path in PATHS}
    for path, inventory in served.items():
        tree[path].serve("inventory", inventory)
    return served


@pytest.fixture
def far(tree: CellTree, inventories: dict[str, Inventory]) -> Any:
    """Return a client in api of the service in az1."""
    return tree["api"].client("inventory", timeout=0.5).prepare(cell="az1")


def test_every_service_reaches_every_cell(tree: CellTree, inventories: dict[str, Inventory]) -> None:
    for source, target in itertools.product(PATHS, PATHS):
        assert tree[source].client("inventory").prepare(cell=target).call({}, "where") == target
    assert tree["east"].client("inventory").call({}, "where") == "api!east"


def test_context_arrives(far: Any, inventories: dict[str, Inventory]) -> None:
    assert far.call({"user_id": "ada"}, "where") == "api!east!az1"
    assert inventories["api!east!az1"].contexts[0]["user_id"] == "ada"


def test_server_is_named(tree: CellTree) -> None:
    for number in (1, 2):
        tree["az1"].serve("inventory", Inventory(f"server {number}"), server=f"host-{number}")
    client = tree["api"].client("inventory")
    assert [client.prepare(cell="az1", server=f"host-{number}").call({}, "where") for number in (1, 2, 1)] == [
        "server 1",
        "server 2",
        "server 1",
    ]


def test_cut_toward_the_service_is_an_error_at_once_and_nothing_runs(
    tree: CellTree, far: Any, inventories: dict[str, Inventory]
) -> None:
    for ends in (("api", "east"), ("east", "az1")):
        with tree.link(*ends).cut(), pytest.raises(cells.rpc.MessageDeliveryFailure):
            far.prepare(timeout=600, retry=0).call({}, "where")
    assert inventories["api!east!az1"].contexts == []
    assert far.prepare(timeout=10).call({}, "where") == "api!east!az1"


def test_call_over_a_link_that_is_restored_in_time_succeeds(tree: CellTree, far: Any) -> None:
    link = tree.link("api", "east").cut()
    restoring = threading.Timer(0.2, link.restore)
    restoring.start()
    assert far.prepare(timeout=10).call({}, "where") == "api!east!az1"
    restoring.join()


def test_cast_over_a_link_that_is_cut_is_an_error_only_in_its_own_cell(
    tree: CellTree, far: Any, inventories: dict[str, Inventory]
) -> None:
    with tree.link("api", "east").cut(), pytest.raises(cells.rpc.MessageDeliveryFailure):
        far.prepare(retry=0).cast({"number": 1}, "where")
    # At the start az1 may become ready later than east.
    before = undelivered(tree["east"])
    with tree.link("east", "az1").cut():
        far.prepare(retry=0).cast({"number": 2}, "where")
        wait_for(lambda: undelivered(tree["east"]) > before, "the message reaches the link")
    far.cast({"number": 3}, "where")
    contexts = inventories["api!east!az1"].contexts
    wait_for(lambda: contexts, "the third arrives")
    assert [context["number"] for context in contexts] == [3]


def undelivered(cell: TreeCell) -> int:
    return cell.managers[0].counters.as_dict().get("undelivered.NeighborUnreachable", 0)


def test_cut_toward_the_caller_is_a_timeout_and_the_method_runs(
    tree: CellTree, far: Any, inventories: dict[str, Inventory]
) -> None:
    with tree.link("east", "az1").toward("east").cut(), pytest.raises(cells.rpc.Timeout):
        far.call({}, "where")
    assert len(inventories["api!east!az1"].contexts) == 1


@pytest.mark.parametrize(("toward", "runs"), [("az1", 0), ("east", 1)])
def test_a_dropped_message_is_a_timeout(
    tree: CellTree, far: Any, inventories: dict[str, Inventory], toward: str, runs: int
) -> None:
    tree.link("east", "az1").toward(toward).drop(1)
    with pytest.raises(cells.rpc.Timeout):
        far.call({}, "where")
    assert len(inventories["api!east!az1"].contexts) == runs
    assert far.prepare(timeout=10).call({}, "where") == "api!east!az1"


def test_dropped_cast_is_lost_in_silence(tree: CellTree, far: Any, inventories: dict[str, Inventory]) -> None:
    tree.link("east", "az1").toward("az1").drop(1)
    for number in (1, 2):
        far.cast({"number": number}, "where")
    contexts = inventories["api!east!az1"].contexts
    wait_for(lambda: contexts, "the second arrives")
    assert [context["number"] for context in contexts] == [2]


def test_delay_counts_each_time_that_a_call_crosses_it(tree: CellTree, far: Any) -> None:
    tree.link("api", "east").delay(0.1)
    began_at = time.monotonic()
    assert far.prepare(timeout=10).call({}, "where") == "api!east!az1"
    assert time.monotonic() - began_at >= 0.2
    tree.link("api", "east").delay(600)
    assert tree["east"].client("inventory", timeout=10).prepare(cell="az1").call({}, "where") == "api!east!az1"


def test_a_delay_beyond_the_timeout_is_a_timeout_and_the_method_runs_later(
    tree: CellTree, far: Any, inventories: dict[str, Inventory]
) -> None:
    link = tree.link("east", "az1").toward("az1").delay(600)
    with pytest.raises(cells.rpc.Timeout):
        far.call({}, "where")
    assert inventories["api!east!az1"].contexts == []
    link.restore()
    wait_for(lambda: inventories["api!east!az1"].contexts, "it runs")


@pytest.mark.parametrize("toward", ["az1", "east"])
def test_duplicates_have_no_effect(tree: CellTree, far: Any, inventories: dict[str, Inventory], toward: str) -> None:
    tree.link("east", "az1").toward(toward).duplicate()
    for _ in range(3):
        assert far.prepare(timeout=10).call({}, "where") == "api!east!az1"
    assert len(inventories["api!east!az1"].contexts) == 3


def test_a_multicall_names_the_cell_behind_the_fault(tree: CellTree, inventories: dict[str, Inventory]) -> None:
    client = tree["api"].client("inventory", timeout=5)
    tree.link("api", "west").cut()
    answers = dict(client.prepare(cells="down").multicall({}, "where"))
    assert isinstance(answers.pop("api!west"), cells.rpc.MessageDeliveryFailure)
    assert answers == {path: path for path in PATHS[:3]}


def test_cell_without_managers_and_service_that_is_stopped() -> None:
    with CellTree(SHAPE) as tree:
        server = tree["west"].serve("clock", Inventory("west"))
        client = tree["api"].client("clock", timeout=10, retry=0)
        assert client.prepare(cell="west").call({}, "where") == "west"
        server.stop()
        server.wait()
        with pytest.raises(cells.rpc.MessageDeliveryFailure):
            client.prepare(cell="west").call({}, "where")
        tree["az1"].stop()
        with pytest.raises(cells.rpc.MessageDeliveryFailure):
            client.prepare(cell="az1").call({}, "where")


def test_an_option_overrides_the_allow_list_of_the_tree() -> None:
    with CellTree(SHAPE, cell_options={"east": {"cells": {"allowed_services": []}}}) as tree:
        for cell in ("east", "west"):
            tree[cell].serve("inventory", Inventory(cell))
        client = tree["api"].client("inventory")
        assert client.prepare(cell="west").call({}, "where") == "west"
        with pytest.raises(exceptions.ServiceNotAllowed):
            client.prepare(cell="east").call({}, "where")
