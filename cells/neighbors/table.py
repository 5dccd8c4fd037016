"""The registered neighbors of this cell, and the state that each neighbor has reported.

:class:`Neighbors` is an immutable snapshot that messages are planned with; :class:`NeighborTable` holds the current
snapshot and the state of each neighbor.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cells.neighbors.neighbor import Neighbor
from cells.path import MAX_NAME_LENGTH
from cells.versions import lowest, readable_by

#: Bound for the managers of one neighbor; more are a mistake, or an attack.
MAX_MANAGERS = 100
#: Key of an answer to ping: False if the answering cell does not know its path from the root yet.
IS_PLACED = "is_placed"


class Direction(str, enum.Enum):
    """Direction of a message: toward the root of the tree, or toward its leaves."""

    UP = "up"
    DOWN = "down"

    @property
    def opposite(self) -> Direction:
        return Direction.DOWN if self is Direction.UP else Direction.UP


class State(str, enum.Enum):
    """State of a neighbor, as this cell sees it."""

    UP = "up"  #: it sent a message within mute_child_interval
    MUTE = "mute"  #: it sent no message for longer than that
    UNREACHABLE = "unreachable"  #: its broker did not accept the last message
    UNKNOWN = "unknown"  #: registered a short while ago, and silent since then


@dataclass(frozen=True)
class Neighbors:
    """Parents and children of this cell by name, at one moment."""

    parents: Mapping[str, Neighbor] = field(default_factory=dict)
    children: Mapping[str, Neighbor] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Neighbor]) -> Neighbors:
        rows = list(rows)
        return cls(
            parents={row.name: row for row in rows if row.is_parent},
            children={row.name: row for row in rows if not row.is_parent},
        )

    def toward(self, direction: Direction) -> Mapping[str, Neighbor]:
        return self.parents if direction is Direction.UP else self.children

    def all(self) -> dict[str, Neighbor]:
        return {**self.children, **self.parents}


@dataclass
class Heard:
    """State that one neighbor has reported.  Times are seconds of the monotonic clock."""

    registered_at: float
    last_seen_at: float | None = None
    is_reachable: bool = True
    capabilities: Mapping[str, list[str]] = field(default_factory=dict)
    capacities: Mapping[str, Any] = field(default_factory=dict)
    #: the neighbor's latest answer to a ping: path, version, subtree
    description: Mapping[str, Any] = field(default_factory=dict)
    #: whether the neighbor has answered that it has no method ping: a cell of Nova
    has_no_ping: bool = False
    #: the last known path of a parent that has not announced its path yet since it, or this manager, was started
    last_path: object = None
    #: host of each manager of the neighbor -> (version that it reads, time of its answer)
    versions: dict[str, tuple[str, float]] = field(default_factory=dict)
    #: the lowest of these versions; None: no manager has answered yet
    version: str | None = None


@dataclass(frozen=True)
class Changes:
    """Differences between two sets of rows."""

    added: tuple[Neighbor, ...]
    removed: tuple[Neighbor, ...]  #: deleted rows, and the old versions of changed rows
    changed: tuple[Neighbor, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class NeighborTable:
    """Current :class:`Neighbors` and the reported state of each.  Thread-safe; no I/O.

    :mod:`cells.neighbors.loader` loads the rows and calls :meth:`replace`.
    """

    def __init__(self, mute_after_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._mute_after_seconds = mute_after_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._neighbors = Neighbors()
        self._heard: dict[str, Heard] = {}

    def snapshot(self) -> Neighbors:
        return self._neighbors

    def replace(self, rows: Iterable[Neighbor]) -> Changes:
        """Make ``rows`` the current neighbors and return the differences."""
        new = Neighbors.of(rows)
        with self._lock:
            old_rows, new_rows = self._neighbors.all(), new.all()
            self._neighbors = new
            added = tuple(row for name, row in new_rows.items() if name not in old_rows)
            changed = tuple(row for name, row in new_rows.items() if name in old_rows and old_rows[name] != row)
            removed = tuple(row for name, row in old_rows.items() if new_rows.get(name) != row)
            now = self._clock()
            self._heard = {name: self._heard.get(name) or Heard(registered_at=now) for name in new_rows}
        return Changes(added=added, removed=removed, changed=changed)

    def record(self, name: str, **values: Any) -> bool:
        """Record that ``name`` has just sent a message with these ``values``, fields of :class:`Heard`.

        :returns: False if there is no such neighbor, or no longer
        """
        with self._lock:
            heard = self._heard.get(name)
            if heard is None:
                return False
            heard.last_seen_at = self._clock()
            for field_name, value in values.items():
                setattr(heard, field_name, value)
            return True

    def recall_paths(self, paths: Mapping[str, str]) -> None:
        """Take over the paths of parents that were known before this manager started.

        :param paths: name of a parent -> its path from the root
        """
        with self._lock:
            for name, path in paths.items():
                heard = self._heard.get(name)
                if heard is not None:
                    heard.last_path = path

    def record_description(self, name: str, description: Mapping[str, Any]) -> bool:
        """Record the answer of a manager of ``name`` to a ping."""
        self.record_version(name, description)
        heard = self._heard.get(name)
        if heard is not None and heard.description and heard.description.get(IS_PLACED) is not False:
            heard.last_path = heard.description.get("path")
        return self.record(name, description=description, has_no_ping=False)

    def record_version(self, name: str, description: Mapping[str, Any]) -> None:
        """Record the version that a manager of ``name`` reads.

        A cell may have several managers, of two releases during an upgrade, and any of them may receive the next
        message.  So the version of the cell is the lowest version of the managers that have answered lately.
        """
        with self._lock:
            heard = self._heard.get(name)
            if heard is None:
                return
            now = self._clock()
            host = str(description.get("host"))[:MAX_NAME_LENGTH]
            said = {**heard.versions, host: (readable_by(description.get("version")), now)}
            if len(said) > MAX_MANAGERS:
                said = {host: said[host]}
            heard.versions = {
                host: (version, at) for host, (version, at) in said.items() if now - at <= self._mute_after_seconds
            }
            heard.version = lowest(*(version for version, _ in heard.versions.values()))

    def record_delivery(self, name: str, *, is_reachable: bool) -> None:
        """Record whether the neighbor's broker accepted a message."""
        heard = self._heard.get(name)
        if heard is not None:
            heard.is_reachable = is_reachable

    def heard(self, name: str) -> Heard | None:
        return self._heard.get(name)

    def state(self, name: str) -> State:
        heard = self._heard.get(name)
        if heard is None:
            return State.UNKNOWN
        if not heard.is_reachable:
            return State.UNREACHABLE
        if self.is_silent(name):
            return State.MUTE
        return State.UP if heard.last_seen_at is not None else State.UNKNOWN

    def is_silent(self, name: str) -> bool:
        """Return whether the neighbor sent no message for longer than the mute interval; its broker does not matter."""
        heard = self._heard.get(name)
        if heard is None:
            return False
        return self.seconds_since(heard.last_seen_at or heard.registered_at) > self._mute_after_seconds

    def seconds_since(self, moment: float) -> float:
        return self._clock() - moment

    def living_children(self) -> dict[str, Heard]:
        """Return the state of each child that has sent a message within the mute interval."""
        with self._lock:
            return {
                name: self._heard[name]
                for name in self._neighbors.children
                if self._heard[name].last_seen_at is not None
                and self.seconds_since(self._heard[name].last_seen_at or 0.0) <= self._mute_after_seconds
            }
