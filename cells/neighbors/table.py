"""The neighbors of this cell: what the operator registered, and what they told us.

:class:`Neighbors` is a snapshot without I/O that the messages decide on;
:class:`NeighborTable` holds the current one and what has been heard from each.
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

#: Of one neighbor; more are a mistake, or an attack.
MAX_MANAGERS = 100


class Direction(str, enum.Enum):
    """Where a message goes: toward the root of the tree, or toward its leaves."""

    UP = "up"
    DOWN = "down"

    @property
    def opposite(self) -> Direction:
        return Direction.DOWN if self is Direction.UP else Direction.UP


class State(str, enum.Enum):
    """How a neighbor looks from here."""

    UP = "up"  #: heard from within mute_child_interval
    MUTE = "mute"  #: not heard from for longer than that
    UNREACHABLE = "unreachable"  #: its broker did not take the last message
    UNKNOWN = "unknown"  #: registered a short while ago, and not heard from yet


@dataclass(frozen=True)
class Neighbors:
    """The parents and children of this cell by name, at one moment."""

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
    """What one neighbor has told us, and when (seconds of the monotonic clock)."""

    registered_at: float
    last_seen_at: float | None = None
    is_reachable: bool = True
    capabilities: Mapping[str, list[str]] = field(default_factory=dict)
    capacities: Mapping[str, Any] = field(default_factory=dict)
    #: the neighbor's answer to ping: path, version, subtree
    description: Mapping[str, Any] = field(default_factory=dict)
    #: what each of its managers said that it reads, by host, and when
    versions: dict[str, tuple[str, float]] = field(default_factory=dict)
    #: the lowest of them; None: none has said it yet
    version: str | None = None


@dataclass(frozen=True)
class Changes:
    """What a new set of rows changed."""

    added: tuple[Neighbor, ...]
    removed: tuple[Neighbor, ...]  #: gone, and the old rows of those that changed
    changed: tuple[Neighbor, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class NeighborTable:
    """The current :class:`Neighbors` and what was heard from each.  Thread-safe.

    Getters never do I/O: :mod:`cells.neighbors.loader` loads the rows and calls
    :meth:`replace`.
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
        """Make ``rows`` the current neighbors; say what is different from before."""
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
        """Note that ``name`` was heard from just now, and what it said (fields of Heard).

        :returns: False if there is no such neighbor (any more)
        """
        with self._lock:
            heard = self._heard.get(name)
            if heard is None:
                return False
            heard.last_seen_at = self._clock()
            for field_name, value in values.items():
                setattr(heard, field_name, value)
            return True

    def record_description(self, name: str, description: Mapping[str, Any]) -> bool:
        """Note what a manager of ``name`` said of its cell and itself."""
        self.record_version(name, description)
        return self.record(name, description=description)

    def record_version(self, name: str, description: Mapping[str, Any]) -> None:
        """Note what a manager of ``name`` said that it reads.

        A cell may have several, of two releases while it is upgraded, and any of them may get the next message: what
        counts is the lowest version of those heard from lately.
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
        """Note whether the neighbor's broker took a message."""
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
        """Whether a neighbor was not heard from for longer than the mute interval, be its broker there or not."""
        heard = self._heard.get(name)
        if heard is None:
            return False
        return self.seconds_since(heard.last_seen_at or heard.registered_at) > self._mute_after_seconds

    def seconds_since(self, moment: float) -> float:
        return self._clock() - moment

    def living_children(self) -> dict[str, Heard]:
        """The children heard from within the mute interval, and what they said."""
        with self._lock:
            return {
                name: self._heard[name]
                for name in self._neighbors.children
                if self._heard[name].last_seen_at is not None
                and self.seconds_since(self._heard[name].last_seen_at or 0.0) <= self._mute_after_seconds
            }
