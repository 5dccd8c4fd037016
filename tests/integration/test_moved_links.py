"""A running tree under load moves from RabbitMQ to direct links and back, link by link, as in the admin guide."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.loaded_tree import LoadedTree
from tests.integration.processes import OPTIONS
from tests.integration.rabbitmq import VirtualHostPool
from tools.direct_links import DirectLinks
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = [pytest.mark.rabbitmq, pytest.mark.long, pytest.mark.timeout(900)]

LINKS = (("east", "az1"), ("api", "east"), ("api", "west"), ("east", "az2"))
PATHS = ("api", "api!east", "api!east!az1", "api!east!az2", "api!west")
SEND_TIMEOUT_SECONDS = float(str(OPTIONS["cells"]["send_timeout"]))
COMMAND_SECONDS = 60.0


@pytest.fixture
def direct(tmp_path: Path) -> Iterator[DirectLinks]:
    found = DirectLinks(tmp_path / "direct", PATHS)
    yield found
    found.close()


@pytest.fixture
def tree(tmp_path: Path, rabbitmq: VirtualHostPool, direct: DirectLinks) -> Iterator[LoadedTree]:
    """Tree with links over RabbitMQ, whose managers are ready for direct links."""
    options = {path.rpartition("!")[2]: direct.options(path.rpartition("!")[2]) for path in PATHS}
    with LoadedTree(tmp_path / "tree", rabbitmq, cell_options=options).started() as loaded:
        yield loaded


class Side:
    """One side of a link, with the commands of its operator."""

    def __init__(self, manager: ManagerProcess, neighbor: str) -> None:
        self.manager = manager
        self.neighbor = neighbor

    def seen(self) -> dict[str, Any]:
        """Return the neighbor as ``cells neighbor status`` shows it."""
        answer = self.manager.cells("neighbor", "status", "-f", "json")
        rows = answer.json() if answer.returncode in (0, 1) else []
        return next((row for row in rows if row["name"] == self.neighbor), {})

    def is_connected(self) -> bool:
        return bool((self.seen().get("link") or {}).get("managers"))

    def accepts_both(self) -> bool:
        return bool(self.seen().get("also_accept"))


class Moving:
    """The steps of the guide for one link; each is taken on both sides before the next."""

    def __init__(self, parent: Side, child: Side) -> None:
        self.sides = (parent, child)

    def set(self, *arguments: str) -> None:
        self.set_each(arguments, arguments)

    def set_each(self, *arguments: tuple[str, ...]) -> None:
        begun = [
            side.manager.begin("neighbor", "set", side.neighbor, *given)
            for side, given in zip(self.sides, arguments, strict=True)
        ]
        for side, finish in zip(self.sides, begun, strict=True):
            done = finish(COMMAND_SECONDS)
            assert done.returncode == 0, done.stderr
            side.manager.hup()

    def wait_for_both(self) -> None:
        for side in self.sides:
            poll(side.accepts_both, f"{side.manager.name} accepts {side.neighbor} over both drivers")

    def switch(self, driver: str, before: str) -> None:
        """Send over another driver; return when nothing is on its way over the one before."""
        self.set("--driver", driver, "--also-accept", before)
        for side in self.sides:
            poll(lambda: side.seen().get("driver") == driver, f"{side.manager.name} sends over {driver}")  # noqa: B023
        switched_at = time.monotonic()
        poll(lambda: time.monotonic() - switched_at > SEND_TIMEOUT_SECONDS, "all sends over the old driver have ended")
        self.set("--also-accept", "none")


def moving(tree: LoadedTree, parent: str, child: str) -> Moving:
    return Moving(Side(tree[parent], child), Side(tree[child], parent))


def test_each_link_moves_to_direct_and_back(tree: LoadedTree, direct: DirectLinks, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.crt" for name in ("api", "east", "west", "az1", "az2")}
    for name, file in files.items():
        file.write_text(direct.row(name, is_parent=False).certificates or "")
    with tree.load(loses_nothing=True, fails_nothing=True):
        for parent, child in LINKS:
            link = moving(tree, parent, child)
            addresses = direct.row(parent, is_parent=True).addresses or ""
            link.set_each(
                ("--also-accept", "direct", "--dials-in", "--certificate", str(files[child])),
                ("--also-accept", "direct", "--address", addresses, "--certificate", str(files[parent])),
            )
            for side in link.sides:
                poll(side.is_connected, f"{side.manager.name} is connected with {side.neighbor}")
            link.wait_for_both()
            link.switch("direct", before="rpc")
    for parent, child in LINKS:
        assert tree[child].cells("neighbor", "show", parent, "-f", "value", "-c", "driver").stdout.strip() == "direct"
    with tree.load(loses_nothing=True, fails_nothing=True):
        for parent, child in LINKS:
            link = moving(tree, parent, child)
            link.set("--also-accept", "rpc")
            link.wait_for_both()
            link.switch("rpc", before="direct")
