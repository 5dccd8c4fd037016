"""Pings of the neighbors: whether each answers, its managers, and the path, version and subtree that it announces.

Each neighbor is probed at an interval.  A probe opens a connection to the neighbor's broker, so their number per second
is bounded: many neighbors are probed less often, spread over the interval.

A cell of Nova has no method ping, and logs a traceback for each one.  A neighbor whose cap is a release of Nova is not
pinged at all; one that has answered that it knows no ping is pinged once an hour, since it may have been upgraded.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from cells import exceptions, versions
from cells.drivers.registry import Drivers
from cells.failure import lacks_method
from cells.manager.message_factory import OutgoingMessages
from cells.messages import Response, TargetedMessage
from cells.neighbors import Direction, Neighbor, NeighborTable
from cells.routing.reply import Reply
from cells.routing.router import Router
from cells.worker_threads import Runtime

LOG = logging.getLogger(__name__)

#: Timeout of a ping.  A late answer is better than none; :mod:`cells.neighbors.probe` says when one is overdue.
TIMEOUT_SECONDS = 30.0
#: Bound of the probes of one second.
MAX_PER_SECOND = 4
#: Interval of the pings of a neighbor that has answered that it knows no ping.
NOVA_SECONDS = 3600.0

PING = "ping"
_MODULES = ("cells.exceptions",)


@dataclass(kw_only=True, eq=False, repr=False)
class Prober:
    """Sender of the pings of one manager.  Thread-safe; sending does not block."""

    table: NeighborTable
    router: Router
    outgoing: OutgoingMessages
    drivers: Drivers
    #: of the probes of one neighbor
    interval_seconds: float
    #: of the pings to all managers of one neighbor
    version_interval_seconds: float
    runtime: Runtime
    #: takes the name of a neighbor, and its answer to a ping
    on_answer: Callable[[str, Response], None] = field(init=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        #: neighbor -> when it is probed next
        self._next: dict[str, float] = {}
        #: neighbor -> when all of its managers were pinged
        self._versions_asked: dict[str, float] = {}
        #: neighbor -> when it answered that it knows no ping
        self._knows_no_ping: dict[str, float] = {}
        #: neighbor -> id of the latest ping to all of its managers
        self._version_pings: dict[str, str] = {}
        #: neighbor -> id of the latest probe
        self._probe_ids: dict[str, str] = {}
        self._is_counting = False

    def probe_due(self) -> None:
        """Probe the neighbors whose turn it is; called once a second."""
        rows, now = self.table.snapshot().all(), self.runtime.clock()
        interval = max(self.interval_seconds, len(rows) / MAX_PER_SECOND)
        with self._lock:
            # The start of a manager, and a new row, cause a ping of their own.
            self._next = {name: self._next.get(name, now + interval) for name in rows}
            due = sorted((at, name) for name, at in self._next.items() if at <= now)[:MAX_PER_SECOND]
            for _, name in due:
                self._next[name] = now + interval
        for _, name in due:
            versions_asked_at = self._versions_asked.get(name)
            if versions_asked_at is None or now - versions_asked_at >= self.version_interval_seconds:
                self.ping(name)
            else:
                self._probe(name)
        unheard = [rows[name] for _, name in due if self.table.hears_nothing_from(name)]
        self._count_receivers([*self.table.silent_neighbors(), *unheard])

    def probe_soon(self, name: str) -> None:
        """Let a neighbor be probed within a second, to see whether it is back."""
        with self._lock:
            if name in self._next:
                self._next[name] = self.runtime.clock()

    def probe_all(self) -> None:
        """Let every neighbor be probed next, as at the start."""
        with self._lock:
            self._next = dict.fromkeys(self.table.snapshot().all(), self.runtime.clock())

    def ping(self, name: str) -> None:
        """Ask a neighbor for its path, version and subtree, and every manager of it for its version."""
        row = self._askable(name)
        if row is None:
            return
        self._versions_asked[name] = self.runtime.clock()
        self._ping_all_managers(row)
        self._probe(name)

    def _ping_all_managers(self, row: Neighbor) -> None:
        # Any of them may receive the next message.
        message = self._message_to(row, fanout=True)
        self._version_pings[row.name] = message.id
        self.table.record_ping_to_all(row.name)
        try:
            self.router.cast(message)
        except exceptions.CellsError as error:
            LOG.debug("The managers of cell %s cannot be asked for their versions: %s", row.name, error.message)

    def _probe(self, name: str) -> None:
        row = self._askable(name)
        if row is None:
            return
        asked_at = self.runtime.clock()
        self.table.record_probe(name)
        message = self._message_to(row)
        self._probe_ids[name] = message.id
        self.router.send(message, TIMEOUT_SECONDS, is_own=True).add_done_callback(
            lambda done: self._take(name, asked_at, done.result().read_one(_MODULES))
        )

    def _askable(self, name: str) -> Neighbor | None:
        """Return the row of a neighbor that may be pinged now."""
        row = self.table.snapshot().all().get(name)
        if row is None or versions.is_nova(row.version_cap):
            return None
        refused_at = self._knows_no_ping.get(name)
        return row if refused_at is None or self.runtime.clock() - refused_at >= NOVA_SECONDS else None

    def _message_to(self, row: Neighbor, *, fanout: bool = False) -> TargetedMessage:
        direction = Direction.UP if row.is_parent else Direction.DOWN
        return self.outgoing.about_cells(row.name, direction, PING, {}, needs_response=True, fanout=fanout)

    def _take(self, name: str, asked_at: float, answer: Response) -> None:
        error = answer.error
        if lacks_method(error, PING):
            self._knows_no_ping[name] = self.runtime.clock()
            self.table.record_probe_answer(name, asked_at, "")
        elif error is None:
            self._knows_no_ping.pop(name, None)
            host = answer.value.get("host") if isinstance(answer.value, dict) else ""
            self.table.record_probe_answer(name, asked_at, str(host))
        elif not isinstance(error, (exceptions.CallTimeout, exceptions.ManagerStopping)):
            self.table.record_probe_problem(name, str(error))
        self.on_answer(name, answer)

    def heard_from(self, name: str) -> None:
        """Note a ping of a neighbor itself: whatever it was before, it knows ping now."""
        self._knows_no_ping.pop(name, None)

    def note_other_name(self, response_to: str, part: str) -> None:
        """Note a refused answer: a cell that refuses a probe, because it has another name, answers in that name.

        :param part: the way from this cell to the cell that has answered
        """
        for name, probe_id in list(self._probe_ids.items()):
            if probe_id == response_to and name != part:
                self.table.record_other_name(name, part)

    def learn_version(self, response_to: str, neighbor: str, reply: Reply) -> bool:
        """Record an answer of one of a neighbor's managers to the latest ping to all of them.

        :returns: False if ``response_to`` is not the latest ping to all managers of ``neighbor``
        """
        if self._version_pings.get(neighbor) != response_to or not reply.responses:
            return False
        answer = reply.responses[0].read(_MODULES)
        if isinstance(answer.value, dict):
            self.table.record_manager(neighbor, answer.value)
        return True

    def _count_receivers(self, rows: Sequence[Neighbor]) -> None:
        """Look, on a thread, whether managers consume at the brokers of neighbors that do not answer."""
        with self._lock:
            if self._is_counting or not rows:
                return
            self._is_counting = True
        try:
            self.runtime.spawn(partial(self._count, rows), "cells-probe-receivers")
        except RuntimeError:
            self._is_counting = False

    def _count(self, rows: Sequence[Neighbor]) -> None:
        try:
            for row in rows:
                self._count_one(row)
        finally:
            self._is_counting = False

    def _count_one(self, row: Neighbor) -> None:
        try:
            self.table.record_receivers(row.name, self.drivers.get(row.driver).receivers(row))
        except Exception as error:  # a driver of another project may raise any, and the other neighbors are counted
            LOG.debug("The managers of the silent neighbor %s cannot be counted: %s", row.name, error)
