"""What an attacked cell has counted, and whether it still serves other cells."""

from __future__ import annotations

from tests.functional.cell_tree import TreeCell, wait_for


class Watch:
    """The counters of a cell since the start of a test."""

    def __init__(self, cell: TreeCell) -> None:
        self._cell = cell
        self._before = cell.counters()

    def counted(self, prefix: str) -> int:
        """Return how much the counters whose names begin with ``prefix`` have grown."""
        return sum(
            count - self._before.get(name, 0)
            for name, count in self._cell.counters().items()
            if name.startswith(prefix)
        )

    def wait_for(self, prefix: str, count: int) -> None:
        """Wait until the counters have grown by at least ``count``."""
        wait_for(lambda: self.counted(prefix) >= count, f"{prefix} counts {count}")

    def is_served(self) -> bool:
        """Return whether the cell calls its neighbors, and they call it."""
        path = str(self._cell.path)
        return self._cell.call("west") == f"{path}!west" and self._cell.call("top", "ping")["name"] == "top"
