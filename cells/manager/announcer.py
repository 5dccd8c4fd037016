"""How a manager makes itself known to its children, be they three or a thousand.

Each child's broker has to be reached for it.  Where there are few children they
are reached at a time, and the connections stay for what comes next.  Where there
are many they are reached one after the other, and no connection stays behind: a
thousand neighbors cost an idle manager nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from cells.links import Links
from cells.manager.local_cell import Cell
from cells.neighbors.neighbor import Neighbor

#: With more children than this they are told one by one, and each connection is closed again.
FEW = 16


class Introduction:
    """Tells children that their parent has started, or has got to know them."""

    def __init__(self, cell: Cell, links: Links, patience_seconds: float) -> None:
        """``patience_seconds`` is how long one child's broker is waited for before the next is tried."""
        self._cell = cell
        self._links = links
        self._patience_seconds = patience_seconds
        self._is_stopped = threading.Event()

    def start(self, children: Sequence[Neighbor]) -> None:
        """Tell ``children``, on a thread of its own that ends when that is done."""
        if children:
            threading.Thread(target=self._tell_all, args=(children,), name="cells-introduce", daemon=True).start()

    def stop(self) -> None:
        """Tell nobody else.  May be called twice."""
        self._is_stopped.set()

    def _tell_all(self, children: Sequence[Neighbor]) -> None:
        for child in children:
            if self._is_stopped.is_set():
                return
            self._cell.ask_for_news(child.name)
            if len(children) > FEW:
                self._links.forget(child, self._patience_seconds)
