"""Picking a cell for a call of a service, over a whole tree."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import oslo_messaging
import pytest

from cells import exceptions
from cells.scheduler import any_cell
from cells.testing import CellTree
from tests.functional.cell_tree import wait_for

SHAPE = {"api": {"east": {"az1": {}, "az2": {}}, "west": {}}}
CAPABILITIES = {
    "az1": "hypervisor=kvm,version=1.9;2.5",
    "az2": "hypervisor=xen,version=3.1",
    "west": "hypervisor=kvm,version=1.0",
}
#: Longer than any test.
TIMEOUT_SECONDS = 10.0
#: Shortest call_monitor_timeout that oslo.messaging's servers accept.
MONITOR_SECONDS = 2
LONG_SECONDS = 2.5


class Compute:
    """Service that returns its cell."""

    def __init__(self, cell: str) -> None:
        self._cell = cell
        self.lock = threading.Lock()
        self.booted: list[str] = []

    def boot(self, ctxt: dict[str, Any], name: str) -> str:
        with self.lock:
            self.booted.append(name)
        return self._cell

    def work(self, ctxt: dict[str, Any]) -> str:
        threading.Event().wait(LONG_SECONDS)
        return self._cell

    def fail(self, ctxt: dict[str, Any]) -> str:
        raise ValueError(f"{self._cell} cannot")


class Deployment:
    """Tree with the service in each cell."""

    def __init__(self, tree: CellTree) -> None:
        self.tree = tree
        self.compute = {cell.path.last: Compute(cell.path.last) for cell in tree.cells.values()}
        for name, compute in self.compute.items():
            tree[name].serve("compute", compute)
        wait_for(
            lambda: len(tree["api"].managers[0].manager.capabilities({}).get("version", ())) == 4, "all cells are known"
        )

    def client(self, cell: str, **required: Any) -> Any:
        return self.tree[cell].client("compute", timeout=TIMEOUT_SECONDS).prepare(cell=any_cell(**required))

    def boot(self, cell: str, **required: Any) -> Any:
        return self.client(cell, **required).call({}, "boot", name="vm")

    def report(self, cell: str, ram_mb: int) -> None:
        manager = self.tree[cell].managers[0]
        manager.manager.report_capacities({}, {"ram_mb": {"free": ram_mb}}, "test")

    def booted(self) -> dict[str, list[str]]:
        return {name: compute.booted for name, compute in self.compute.items() if compute.booted}


@pytest.fixture(scope="module")
def shared() -> Iterator[Deployment]:
    options: Mapping[str, Any] = {name: {"cells": {"capabilities": text}} for name, text in CAPABILITIES.items()}
    with CellTree(SHAPE, cell_options=options) as tree:
        yield Deployment(tree)


@pytest.fixture
def deployment(shared: Deployment) -> Deployment:
    """The shared tree, reset; faults end with the test that sets them."""
    for compute in shared.compute.values():
        compute.booted.clear()
    return shared


def test_the_only_suitable_cell_is_found_two_hops_down(deployment: Deployment) -> None:
    assert deployment.boot("api", requires={"hypervisor": "xen"}) == "az2"
    assert deployment.boot("api", requires={"hypervisor": "kvm", "version": ">=2.0,<3"}) == "az1"
    assert deployment.boot("east", requires={"version": ">3"}) == "az2"
    assert deployment.boot("az1", requires={"hypervisor": "kvm"}) == "az1"


def test_a_branch_without_a_suitable_cell_is_left_for_the_next_best(deployment: Deployment) -> None:
    # East has kvm (az1) and 3.1 (az2), but no cell has both.
    with pytest.raises(exceptions.NoCellsAvailable) as caught:
        deployment.boot("api", requires={"hypervisor": "kvm", "version": "3.1"})
    assert caught.value.reasons == {
        "api": "it announces no hypervisor, not kvm",
        "api!west": "it announces version 1.0, not 3.1",
        "api!east": "it announces no hypervisor, not kvm",
        "api!east!az1": "it announces version 1.9 and 2.5, not 3.1",
        "api!east!az2": "it announces hypervisor xen, not kvm",
    }
    for cell, reason in caught.value.reasons.items():
        assert f"{cell}: {reason}" in str(caught.value)
    assert deployment.booted() == {}


def test_target_and_different_cell(deployment: Deployment) -> None:
    assert deployment.boot("api", target="az2") == "az2"
    assert deployment.boot("api", target="api!east") == "east"
    assert deployment.boot("api", target="api") == "api"
    others = ["api", "api!west", "api!east", "api!east!az2"]
    assert deployment.boot("api", different_from=others) == "az1"
    with pytest.raises(exceptions.NoCellsAvailable):
        deployment.boot("api", target="az1", different_from=["api!east!az1"])


def test_the_cell_with_the_most_free_capacity_is_picked(deployment: Deployment) -> None:
    for cell, ram_mb in (("api", 0), ("east", 100), ("az1", 4000), ("az2", 8000), ("west", 6000)):
        deployment.report(cell, ram_mb)
    api = deployment.tree["api"].managers[0]
    wait_for(lambda: api.manager.capacities({}).get("ram_mb") == {"free": 18_100}, "all capacities are known")
    assert deployment.boot("api", size={"ram_mb": 1000}) == "az2"
    # East has more than west in total, but no cell of east has enough.
    deployment.report("az2", 5000)
    wait_for(lambda: api.manager.capacities({}).get("ram_mb") == {"free": 15_100}, "the lower capacities are known")
    assert deployment.boot("api", size={"ram_mb": 5500}) == "west"
    with pytest.raises(exceptions.NoCellsAvailable, match="ram_mb"):
        deployment.boot("api", size={"ram_mb": 7000})


def test_casts_go_to_one_cell_as_well(deployment: Deployment) -> None:
    deployment.client("api", requires={"version": "2.5"}).cast({}, "boot", name="vm")
    wait_for(lambda: deployment.booted() == {"az1": ["vm"]}, "it runs there")


def test_errors_of_the_service_reach_the_caller(deployment: Deployment) -> None:
    with pytest.raises(Exception, match="az2 cannot"):
        deployment.client("api", requires={"hypervisor": "xen"}).call({}, "fail")


def test_an_unreachable_child_is_skipped(deployment: Deployment) -> None:
    with deployment.tree.link("api", "west").cut():
        assert deployment.boot("api", requires={"hypervisor": "kvm"}) == "az1"
        with pytest.raises(exceptions.NoCellsAvailable) as caught:
            deployment.boot("api", requires={"version": "1.0"})
    assert "west" in (caught.value.reasons or {})["api!west"]


def test_a_cell_with_an_empty_allow_list_is_skipped() -> None:
    closed = {"cells": {"capabilities": "os=linux", "allowed_services": ""}}
    opened = {"cells": {"capabilities": "os=linux"}}
    with CellTree({"api": {"closed": {}, "open": {}}}, cell_options={"closed": closed, "open": opened}) as tree:
        api, compute = tree["api"].managers[0], {name: Compute(name) for name in ("closed", "open")}
        for name in ("closed", "open"):
            tree[name].serve("compute", compute[name])
            wait_for(lambda name=name: api.table.heard(name).capabilities, "it is known")
        client = tree["api"].client("compute", timeout=TIMEOUT_SECONDS)
        picked = [client.prepare(cell=any_cell({"os": "linux"})).call({}, "boot", name="vm") for _ in range(20)]
        assert picked == ["open"] * 20
        assert compute["closed"].booted == []
        # Over many calls each cell was tried first, at random.
        assert tree["closed"].managers[0].counters.as_dict()["passed_over.ServiceNotAllowed"] > 0
        assert api.counters.as_dict()["picked.child"] == 20
        with pytest.raises(exceptions.NoCellsAvailable) as caught:
            client.prepare(cell=any_cell(target="closed")).call({}, "boot", name="vm")
        assert "allowed_services" in (caught.value.reasons or {})["api!closed"]


def test_a_call_with_a_lost_answer_runs_in_no_other_cell(deployment: Deployment) -> None:
    client = deployment.tree["api"].client("compute", timeout=2).prepare(cell=any_cell({"hypervisor": "kvm"}))
    east, west = (deployment.tree.link("api", child).toward("api") for child in ("east", "west"))
    with east.drop(), west.drop(), pytest.raises(oslo_messaging.MessagingTimeout):
        client.call({}, "boot", name="once")
    (booted,) = deployment.booted().values()
    assert booted == ["once"]


def test_a_monitored_call_lasts_while_its_method_runs(deployment: Deployment) -> None:
    client = deployment.tree["api"].client("compute", timeout=60, call_monitor_timeout=MONITOR_SECONDS)
    assert client.prepare(cell=any_cell(target="az1")).call({}, "work") == "az1"


def test_a_monitored_call_ends_without_heartbeats(deployment: Deployment) -> None:
    client = deployment.tree["api"].client("compute", timeout=60, call_monitor_timeout=MONITOR_SECONDS)
    started = time.monotonic()
    with deployment.tree.link("east", "az1").toward("east").drop(), pytest.raises(oslo_messaging.MessagingTimeout):
        client.prepare(cell=any_cell(target="az1")).call({}, "work")
    assert time.monotonic() - started < TIMEOUT_SECONDS
