"""The history of the links: each change of the state of a neighbor is stored, with its reason.

The manager looks at the states once a second, apart from messages.  A state that lasts shorter may be missed.  Each
manager of a cell stores what it sees itself.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from cells import exceptions
from cells.manager import neighbor_report
from cells.manager.local_cell import LocalCell
from cells.neighbors import State
from cells.neighbors.transitions import MAX_WHY_LENGTH, REMOVED, Transition, TransitionStore
from cells.path import MAX_NAME_LENGTH
from cells.worker_threads import Runtime, Thread

LOG = logging.getLogger(__name__)

#: Transitions that one transaction stores.
BATCH_SIZE = 200
#: The reason of a new state is looked up again for so long: a silent neighbor's managers are counted only then.
SETTLE_SECONDS = 3.0
#: Bound for the transitions that wait while the database is away; the oldest are lost.
MAX_WAITING = 10_000
#: Pause after a failure, in which transitions wait.
RETRY_SECONDS = 10.0

_UNKNOWN = State.UNKNOWN.value
#: States whose reason may be known better a moment later.
_PROBLEMS = frozenset({State.SILENT.value, State.MUTE.value, State.UNREACHABLE.value, State.RECONNECTING.value})


@dataclass(eq=False, repr=False)
class LinkHistory:
    """Writer of the transitions of one manager.  Thread-safe."""

    cell: LocalCell
    #: None: this cell keeps no history, because it has no database
    store: TransitionStore | None
    runtime: Runtime

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        #: None before the first look
        self._states: dict[str, str] | None = None
        #: neighbor -> its last transition, and when it is stored
        self._fresh: dict[str, tuple[Transition, float]] = {}
        self._waiting: deque[Transition] = deque(maxlen=MAX_WAITING)
        self._is_writing = False
        self._retry_at = 0.0
        self._thread: Thread | None = None

    def look(self) -> None:
        """Note the changes since the last look; called once a second.  Does not block: a thread stores them."""
        if self.store is None:
            return
        states = {name: self.cell.table.state(name).value for name in self.cell.table.snapshot().all()}
        with self._lock:
            before, self._states = self._states, states
            for change in self._changes(before or {}, states, is_start=before is None):
                self._settle(change.neighbor)
                self._fresh[change.neighbor] = change, self.runtime.clock() + SETTLE_SECONDS
            for name, (change, settled_at) in list(self._fresh.items()):
                if change.state in _PROBLEMS:
                    why = self._why(name, change.state)[:MAX_WHY_LENGTH]
                    self._fresh[name] = replace(change, why=why), settled_at
                if change.state not in _PROBLEMS or self.runtime.clock() >= settled_at:
                    self._settle(name)
            self._write_soon()

    def stop(self, timeout_seconds: float) -> None:
        """Wait until the last transitions are stored.  May be called twice."""
        with self._lock:
            for name in list(self._fresh):
                self._settle(name)
            self._retry_at = 0.0
            self._write_soon()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_seconds)

    def _settle(self, name: str) -> None:
        """Let the last transition of a neighbor be stored.  The caller holds the lock."""
        if name in self._fresh:
            change, _ = self._fresh.pop(name)
            self._waiting.append(change)

    def _changes(self, before: dict[str, str], states: dict[str, str], *, is_start: bool) -> Iterator[Transition]:
        manager, now = str(self.cell.identity["host"])[:MAX_NAME_LENGTH], self.runtime.wall_clock()
        for name, state in states.items():
            if before.get(name) != state:
                why = "cells-manager has started." if is_start and state == _UNKNOWN else self._why(name, state)
                yield Transition(name, manager, state, now, why[:MAX_WHY_LENGTH])
        for name in before.keys() - states.keys():
            yield Transition(name, manager, REMOVED, now, "Its row was deleted.")

    def _why(self, name: str, state: str) -> str:
        if state == _UNKNOWN:
            return "Its row is new, or it was not probed yet."
        return neighbor_report.problem_of(self.cell, name) or neighbor_report.sign_of_life(self.cell, name)

    def _write_soon(self) -> None:
        """Start a thread that stores what waits, unless one runs.  The caller holds the lock."""
        if not self._waiting or self._is_writing or self.runtime.clock() < self._retry_at:
            return
        try:
            self._thread = self.runtime.spawn(self._write, "cells-link-history")
        except RuntimeError as error:
            LOG.debug("The transitions of links cannot be stored: %s", error)
            return
        self._is_writing = True

    def _write(self) -> None:
        while True:
            with self._lock:
                batch = list(islice(self._waiting, BATCH_SIZE))
                if not batch:
                    self._is_writing = False
                    return
            try:
                assert self.store is not None  # noqa: S101  # for the type checker
                self.store.record_transitions(batch)
            except exceptions.CellsError as error:
                LOG.debug("The transitions of links cannot be stored: %s", error.message)
                with self._lock:
                    self._is_writing, self._retry_at = False, self.runtime.clock() + RETRY_SECONDS
                return
            with self._lock:
                # Those of the batch that the bound has not removed meanwhile.
                stored = set(map(id, batch))
                while self._waiting and id(self._waiting[0]) in stored:
                    self._waiting.popleft()
