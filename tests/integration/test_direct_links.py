"""Trees of real managers with direct links: all operations, restarts, kills and removed certificates."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.clients import ConnectTo
from tests.integration.loaded_tree import LoadedTree
from tests.integration.processes import Options
from tests.integration.rabbitmq import VirtualHostPool
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq

CASTS = 5
#: Bound for the end of connections whose certificate is removed.
REMOVAL_SECONDS = 5


@pytest.fixture(scope="module", params=["", pytest.param("1.0", marks=pytest.mark.long)], ids=["newest", "capped"])
def tree(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool
) -> Iterator[LoadedTree]:
    """Tree whose cells speak the newest version of the inter-cell API, or the oldest one."""
    options: Options = {"upgrade_levels": {"intercell": request.param}} if request.param else {}
    place = tmp_path_factory.mktemp("direct")
    with LoadedTree(place, rabbitmq, links="direct", addresses={"east": 2}, options=options).started() as loaded:
        yield loaded


@pytest.fixture
def second(tree: LoadedTree) -> Iterator[ManagerProcess]:
    """A second manager of east."""
    with tree.second("east", "az1") as manager:
        # The first one may have connected later.
        poll(lambda: tree.connected("az1", "east") == {"east", "east-2"}, "az1 is connected with both managers")
        yield manager


def test_every_operation_arrives_once(tree: LoadedTree) -> None:
    with tree.load(loses_nothing=True, fails_nothing=True):
        pass


def test_an_orderly_restart_of_the_only_manager_loses_nothing(tree: LoadedTree) -> None:
    with tree.load(loses_nothing=True):
        for name in ("east", "api", "az1"):
            assert tree[name].terminate() == 0
            tree.restart(name)


def test_a_killed_manager_loses_nothing_in_silence(tree: LoadedTree) -> None:
    with tree.load():
        tree["east"].kill9()
        tree.restart("east")


def test_one_of_two_managers_is_killed(tree: LoadedTree, second: ManagerProcess) -> None:
    with tree.load():
        second.kill9()
        second.start(tree.env).wait_ready()


def test_a_removed_certificate_ends_the_connections_of_all_managers(
    tree: LoadedTree, second: ManagerProcess, tmp_path: Path
) -> None:
    az1, east = tree["az1"], tree["east"]
    certificate = tmp_path / "az1.crt"
    certificate.write_text(tree.direct.row("az1", is_parent=False).certificates or "")
    parents = tree.direct.row("east", is_parent=True).addresses or ""
    ports = {int(address.rpartition(":")[2]) for address in parents.split(",")}
    assert ports <= set(az1.connections())
    east.succeed("neighbor", "set", "az1", "--certificate", "none")
    try:
        poll(lambda: not ports & set(az1.connections()), "no connection is left", REMOVAL_SECONDS, pause_seconds=0.01)
    finally:
        east.succeed("neighbor", "set", "az1", "--certificate", str(certificate))
    poll(lambda: tree.connected("az1", "east") == {"east", second.host}, "both managers accept it again")


def test_casts_of_a_killed_manager_are_counted(tree: LoadedTree, connect_to: ConnectTo) -> None:
    api, client = tree["api"], connect_to(tree["api"])

    def losses() -> dict[str, int]:
        found: dict[str, int] = api.status()["losses"]
        return found

    before = losses().get("east.cast.killed.may_have_arrived", 0)
    tree["east"].signal(signal.SIGSTOP)
    try:
        for _ in range(CASTS):
            client.cast({}, "api!east", "no_such_method")
        poll(lambda: losses().get("east.cast.in_flight") == CASTS, "the casts wait for east")
        api.kill9()
        tree.restart("api")
    finally:
        tree["east"].signal(signal.SIGCONT)
    assert losses()["east.cast.killed.may_have_arrived"] - before == CASTS
    poll(lambda: api.cells("call", "api!east", "ping").returncode == 0, "east is reached again")
    assert losses().get("east.cast.in_flight", 0) == 0
