"""The messages that a cell sends to its neighbors on its own account: announcements to parents, and greetings.

A greeting opens a connection to the broker of a child.  A few children are greeted at the same time, and their
connections stay open for the messages that follow.  Many children are greeted one after the other, and each connection
is closed again, so that a thousand neighbors cost an idle manager nothing.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cells import exceptions, versions
from cells.counters import Counters
from cells.failure import lacks_method
from cells.links import Links
from cells.manager.held_requests import HeldRequests
from cells.manager.message_factory import OutgoingMessages
from cells.manager.prober import PING, Prober
from cells.messages import Response
from cells.neighbors import Changes, Direction, Neighbor, NeighborTable
from cells.neighbors.path_memory import PathMemory
from cells.neighbors.resources import Resources
from cells.neighbors.topology import MAX_CELLS, Topology
from cells.routing.router import Router
from cells.worker_threads import Spawn

LOG = logging.getLogger(__name__)

#: More children than this are greeted one after the other.
MAX_OPEN_GREETINGS = 16


@dataclass(kw_only=True, eq=False, repr=False)
class Announcer:
    """Sender of a cell's announcements and greetings.  Thread-safe; sending does not block."""

    resources: Resources
    table: NeighborTable
    topology: Topology
    router: Router
    links: Links
    outgoing: OutgoingMessages
    path_memory: PathMemory
    held_requests: HeldRequests
    prober: Prober
    counters: Counters
    #: the time after which the next of many children is greeted, if one's broker hangs
    greeting_seconds: float
    spawn: Spawn

    def __post_init__(self) -> None:
        #: the place of this cell that its children know
        self._known_place = self._place()
        # The state that is sent last has to be the state that was read last.
        self._sending = threading.RLock()
        self._is_started = False
        self._is_stopped = threading.Event()
        #: child -> cells below it that were left out of its last answer to a ping
        self._left_out: dict[str, int] = {}

    def start(self) -> None:
        """Announce this cell to all neighbors; from now on, changes of neighbors are announced, too."""
        self._is_started = True
        self._introduce(list(self.table.snapshot().all().values()))

    def stop(self) -> None:
        """Greet no more children.  May be called twice."""
        self._is_stopped.set()

    def announce(self) -> None:
        """Send the parents the totals of this subtree and ping them; called periodically."""
        self.topology.remember_names()
        self.send_capabilities()
        self.send_capacities()
        for name in self.table.snapshot().parents:
            self.prober.ping(name)

    def react_to(self, changes: Changes) -> None:
        """Announce this cell to new and changed neighbors, and its new path to its children."""
        if not self._is_started:
            return
        self.announce_move()
        self.held_requests.release()
        rows = [*changes.added, *changes.changed]
        if rows:
            self._introduce(rows)

    def _introduce(self, rows: Sequence[Neighbor]) -> None:
        self.announce()
        children = [row for row in rows if not row.is_parent]
        if children:
            self.spawn(lambda: self._greet(children), "cells-greet")

    def _greet(self, children: Sequence[Neighbor]) -> None:
        """Have children send their capabilities and capacities, and ping this cell."""
        for child in children:
            if self._is_stopped.is_set():
                return
            for method in ("announce_capabilities", "announce_capacities"):
                self._cast(child.name, Direction.DOWN, method, {})
            if len(children) > MAX_OPEN_GREETINGS:
                self.links.forget(child, self.greeting_seconds)

    def send_capabilities(self) -> None:
        """Send the parents the capabilities of this cell and of the cells below it."""
        with self._sending:
            self._cast_to_parents("capabilities", self.resources.capabilities())

    def send_capacities(self) -> None:
        """Send the parents the capacities of this cell and of the cells below it."""
        with self._sending:
            self._cast_to_parents("capacities", self.resources.capacities())

    def answer_announcement(self, parent: str) -> None:
        """Announce this cell to a parent that has started or has a new path, and ping that parent."""
        self.send_capabilities()
        if parent in self.table.snapshot().parents:
            self.prober.ping(parent)

    def announce_move(self) -> None:
        """Have the children ping this cell again if its path from the root of the tree has changed."""
        with self._sending:
            place = self._place()
            has_moved, self._known_place = place != self._known_place, place
        if has_moved:
            for child in self.table.living_children():
                self._cast(child, Direction.DOWN, "announce_capabilities", {})

    def _place(self) -> tuple[object, bool]:
        return self.topology.own_paths(), self.topology.is_placed

    def learn(self, neighbor: str, answer: Response) -> None:
        """Take the answer of a neighbor to a ping; changes in it are announced to other cells."""
        if answer.error is None and isinstance(answer.value, dict):
            # Only its own part of the subtree: the work on an answer must not grow with the number of children.
            with on_change(lambda: self._below(neighbor), self.send_capabilities):
                self.table.record_description(neighbor, answer.value)
                self.announce_move()
                self.path_memory.keep()
            self._report_excess(neighbor)
        elif lacks_method(answer.error, PING):
            # The neighbor is alive: it is a cell of Nova now, whatever it was before.
            self.table.record(neighbor, versions={}, version=versions.OLDEST, has_no_ping=True)
            self.announce_move()
        self.held_requests.release()

    def _below(self, neighbor: str) -> object:
        return self.topology.subtree_of(neighbor) if neighbor in self.table.snapshot().children else None

    def _report_excess(self, neighbor: str) -> None:
        """Count and log the cells of a child that are left out, once as long as their number stays the same."""
        left_out = self.topology.cells_left_out(neighbor) if neighbor in self.table.snapshot().children else 0
        is_known = left_out == self._left_out.pop(neighbor, 0)
        if not left_out:
            return
        self._left_out[neighbor] = left_out
        if not is_known:
            self.counters.count("left_out", "cells", times=left_out)
            LOG.warning(
                "%d cells below cell %s are left out: at most %d cells below a child are known, and only names that a "
                "cell can have.",
                left_out,
                neighbor,
                MAX_CELLS,
            )

    def _cast_to_parents(self, kind: str, values: dict[str, Any]) -> None:
        arguments = {"cell_name": self.topology.cell_name, kind: values}
        for name in self.table.snapshot().parents:
            self._cast(name, Direction.UP, f"update_{kind}", arguments, fanout=True)

    def _cast(self, name: str, direction: Direction, method: str, arguments: dict[str, Any], **options: Any) -> None:
        try:
            self.router.cast(self.outgoing.about_cells(name, direction, method, arguments, **options))
        except exceptions.CellsError as error:
            LOG.info("The message %s cannot be sent to cell %s: %s", method, name, error.message)


@contextlib.contextmanager
def on_change(look: Callable[[], object], call: Callable[[], None]) -> Iterator[None]:
    """Invoke ``call`` after the block if the block has changed the result of ``look``."""
    before = look()
    yield
    if look() != before:
        call()
