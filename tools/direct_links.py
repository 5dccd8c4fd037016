"""Direct links of a tree of manager processes: certificates, listening ports and rows.

The integration tests, the drills and the benchmark pass ``options`` to each :class:`ManagerProcess`, and register the
rows with :meth:`DirectLinks.link` or, in their own process, :meth:`DirectLinks.row`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from cells.testing import direct_links
from tools.manager_process import ManagerProcess

#: Drivers for the links of a tree.
Links = Literal["rpc", "direct"]
#: The default of the option.  With the shorter interval of the tests in one process, managers that share a busy
#: processor take each other for dead.
HEARTBEAT_SECONDS = 2.0


class DirectLinks:
    """Files and ports of the cells of one tree.  Children connect to the managers of their parents.

    The ports are reserved until :meth:`close`, so that a manager that was killed finds its port free.

    :param directory: for the files
    :param paths: of the cells, ``["api", "api!east"]``; the last name of each path is unique
    :param managers: number of managers of a cell, by its name; by default 1
    """

    def __init__(
        self, directory: Path, paths: Iterable[str], managers: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._directory = directory
        self._paths = {path.last: path for path in map(CellPath.parse, paths)}
        counts = {path: managers.get(name, 1) for name, path in self._paths.items()}
        self._links = direct_links.DirectLinks(directory, counts, heartbeat_seconds=HEARTBEAT_SECONDS)

    def options(self, name: str, number: int = 1) -> dict[str, dict[str, object]]:
        """Return the options of one manager.

        :param number: of the manager within its cell, from 1
        """
        return {section: dict(values) for section, values in self._links.options(self._paths[name], number).items()}

    def row(self, name: str, *, is_parent: bool) -> Neighbor:
        """Return the row of a cell for the database of a neighbor.

        :param is_parent: whether the cell is the parent of that neighbor, which then connects to it
        """
        return self._links.neighbor(self._paths[name], is_parent=is_parent)

    def link(self, parent: ManagerProcess, child: ManagerProcess) -> None:
        """Register two cells as parent and child of each other, with an operator's commands."""
        self.register(child, parent.name, is_parent=True)
        self.register(parent, child.name, is_parent=False)

    def register(self, manager: ManagerProcess, name: str, *, is_parent: bool) -> None:
        """Register the cell ``name`` as a neighbor of the cell of ``manager``."""
        row = self.row(name, is_parent=is_parent)
        dialing = ["--address", row.addresses] if row.addresses else ["--dials-in"]
        # The operator has copied the file from the other cell.
        copy = self._directory / f"{row.name}-in-{manager.name}.crt"
        copy.write_text(row.certificates or "")
        kind = "parent" if row.is_parent else "child"
        certificate = ["--certificate", str(copy)]
        manager.succeed("neighbor", "create", row.name, "--type", kind, "--driver", "direct", *dialing, *certificate)

    def close(self) -> None:
        """Give the ports back.  May be called twice."""
        self._links.close()
