"""Tree of three levels in which each cell can be upgraded or downgraded separately."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cells.context import get_admin_context
from tests.upgrade.cell_manager import CellManager
from tests.upgrade.load import Load
from tests.upgrade.load_client import LoadClient
from tests.upgrade.recorder import Recorder
from tests.upgrade.releases import Release, run
from tools.polling import poll

SET_UP = Path(__file__).with_name("set_up_process.py")
CONTEXT = get_admin_context()

#: name of a cell -> name of its parent
PARENTS = {"api": None, "east": "api", "west": "api", "az1": "east"}
#: name -> full path
PATHS = {"api": "api", "east": "api!east", "west": "api!west", "az1": "api!east!az1"}
#: Each cell and each of its neighbors.
LINKS = [link for child, parent in PARENTS.items() if parent for link in ((child, parent), (parent, child))]

OPTIONS: dict[str, dict[str, object]] = {
    # Short intervals, so that the test is quick.
    "cells": {"announce_interval": 1, "db_check_interval": 1},
    # The services of a cell are upgraded before or after its manager.
    "upgrade_levels": {"cells": "1.0"},
}


class UpgradeTree:
    """The four cells, by name: ``tree["az1"]``.

    :param take: returns the transport URL of a cell
    :param connections: database URLs of the cells without SQLite
    :param release: release of all cells at the start
    """

    def __init__(
        self,
        directory: Path,
        take: Callable[[], str],
        release: Release,
        connections: Mapping[str, str] | None = None,
    ) -> None:
        self.recorder = Recorder(directory / "recorder")
        self._managers = {
            name: CellManager(
                directory,
                name,
                take(),
                connection=(connections or {}).get(name),
                options=OPTIONS,
                release=release,
                env=self.recorder.env,
            )
            for name in PARENTS
        }

    def __getitem__(self, name: str) -> CellManager:
        return self._managers[name]

    def start(self) -> UpgradeTree:
        """Create and start all cells, and wait until they know each other."""
        cells = [
            {
                "config_file": str(manager.config_file),
                "parents": self._urls(other for other in PARENTS if other == PARENTS[name]),
                "children": self._urls(other for other, parent in PARENTS.items() if parent == name),
            }
            for name, manager in self._managers.items()
        ]
        release = self["api"].release
        run([release.program("python"), str(SET_UP), json.dumps(cells)], release.programs)
        for manager in self._managers.values():
            manager.start()
        for manager in self._managers.values():
            manager.wait_ready()
        self.wait_formed()
        return self

    def _urls(self, names: Iterable[str]) -> dict[str, str]:
        return {name: self[name].transport_url for name in names}

    def wait_formed(self) -> None:
        """Wait until every cell knows its path, and the top knows all cells below."""
        for name, path in PATHS.items():
            with self[name].connected() as api:
                poll(lambda: api.status(CONTEXT)["path"] == path, f"{name} knows that it is {path}")  # noqa: B023  # called at once
        with self["api"].connected() as api:
            poll(lambda: _paths(api.topology(CONTEXT)) == set(PATHS.values()), "the top hears from every cell")

    def wait_for_versions(self, versions: Mapping[tuple[str, str], str]) -> None:
        """Wait until cells speak these versions of the inter-cell API.

        :param versions: (cell, its neighbor) -> version
        """
        for name in {name for name, _ in versions}:
            expected = {neighbor: version for (cell, neighbor), version in versions.items() if cell == name}
            with self[name].connected() as api:

                def spoken() -> bool:
                    links = api.call(CONTEXT, name, "links")["links"]  # noqa: B023  # called at once
                    found = {link["neighbor"]: link["spoken"] for link in links}
                    return found.items() >= expected.items()  # noqa: B023  # called at once

                poll(spoken, f"{name} speaks {expected}")

    def upgrade(self, name: str, release: Release, load: Load) -> None:
        """Upgrade one cell: first the database, which the old manager then still uses, then the manager."""
        manager = self[name]
        old, before = manager.release, len(manager.log())
        manager.cells_of(release, "db", "sync")
        # The release that has created the tables writes and reads them.
        neighbor = PARENTS[name] or "west"
        manager.cells_of(old, "neighbor", "set", neighbor, "--weight-scale", "2.0")
        poll(lambda: f"Neighbors changed: {neighbor}" in manager.log()[before:], "the old manager reads the new tables")
        self.replace(name, release, load)

    def replace(self, name: str, release: Release, load: Load) -> None:
        """Stop the manager of a cell and start a manager of that release."""
        manager = self[name]
        with load.paused() if manager.release.loses_at_stop else contextlib.nullcontext():
            manager.end()
        manager.release = release
        manager.start().wait_ready()
        with manager.connected() as api:
            assert api.status(CONTEXT)["version"] == release.identity()["version"]

    def load(self, old: Release, new: Release) -> Load:
        """Return the load of services of both releases, not yet started."""
        # A manager knows these paths as soon as it has started.  It learns the cells above its parent only later, so
        # az1 calls its parent by its plain name.
        everything, all_below = list(PATHS.values()), list(PATHS)
        api, west, az1 = self["api"], self["west"], self["az1"]
        clients = [
            LoadClient(old, api, targets=everything, direction="down", answering=all_below),
            LoadClient(new, api, targets=everything, direction="down", answering=all_below),
            LoadClient(new, west, targets=[PATHS["az1"], PATHS["api"]], direction="up", answering=["west", "api"]),
            LoadClient(old, az1, targets=["east"], direction="up", answering=["az1", "east", "api"]),
        ]
        return Load(clients, self.recorder)

    def stop(self) -> None:
        """Stop all running processes."""
        for manager in self._managers.values():
            manager.kill()


def _paths(node: Mapping[str, Any]) -> set[str]:
    """Return the cells of a topology that are up."""
    below = [_paths(child) for child in node["children"]]
    return set().union(*below, {node["path"]} if node["is_self"] or node["state"] == "up" else set())
