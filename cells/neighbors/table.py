"""The registered neighbors of this cell, and the state that each neighbor has reported.

:class:`Neighbors` is an immutable snapshot that messages are planned with; :class:`NeighborTable` holds the current
snapshot and the state of each neighbor.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cells.neighbors import direct_columns
from cells.neighbors.heard import Heard
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.probe import Probe
from cells.path import MAX_NAME_LENGTH
from cells.versions import is_nova, lowest, readable_by

#: Bound for the managers of one neighbor; more are a mistake, or an attack.
MAX_MANAGERS = 100
#: Bound for the cells that send to this cell and are not registered.
MAX_STRANGERS = 16
#: State of a link without a connection, whose messages fail.
_DOWN = "down"
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

    UP = "up"  #: it answers probes; a neighbor that is not probed: it sent a message within mute_child_interval
    SILENT = "silent"  #: it did not answer the last probe
    MUTE = "mute"  #: it sent no message for longer than mute_child_interval
    UNREACHABLE = "unreachable"  #: its broker did not accept the last message, or its direct link is down
    RECONNECTING = "reconnecting"  #: its direct link has no connection for a short time, and messages wait
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

    def get(self, name: str) -> Neighbor | None:
        return self.children.get(name) or self.parents.get(name)

    def all(self) -> dict[str, Neighbor]:
        return {**self.children, **self.parents}

    @functools.cached_property
    def has_direct_links(self) -> bool:
        """Whether a neighbor has a direct link, or may send over one."""
        return any(row.may_send_over(direct_columns.DIRECT) for row in self.all().values())

    @functools.cached_property
    def digest(self) -> str:
        """A short text that is the same in all managers of a cell, because they read the same rows."""
        names = sorted([*(f"parent {name}" for name in self.parents), *(f"child {name}" for name in self.children)])
        return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


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
        #: grows with each change of the rows, and of the values that neighbors have reported
        self.revision = 0
        #: cell that is not registered -> time of its last message
        self._strangers: dict[str, float] = {}

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
            for row in changed:
                # Another driver may serve it now.
                self._heard[row.name].link_state = ""
                if old_rows[row.name].way != row.way:
                    self._heard[row.name].is_reachable = True
                if is_nova(row.version_cap):
                    # It is pinged no more, so a ping that is unanswered stays unanswered.
                    self._heard[row.name].probe = Probe()
            self.revision += 1
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
            self.revision += bool(values)
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
            self.revision += 1

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

    def record_probe(self, name: str) -> None:
        """Record that a probe is sent to ``name`` now."""
        with self._lock:
            heard = self._heard.get(name)
            if heard is not None:
                heard.probe.ask(self._clock())

    def record_probe_answer(self, name: str, asked_at: float, host: str) -> None:
        """Record an answer to a probe.

        :param asked_at: when that probe was sent
        :param host: of the manager that has answered
        """
        with self._lock:
            heard = self._heard.get(name)
            if heard is not None:
                heard.probe.answer(self._clock(), asked_at, host[:MAX_NAME_LENGTH])

    def record_probe_problem(self, name: str, problem: str) -> None:
        """Record why a probe of ``name`` has no answer."""
        heard = self._heard.get(name)
        if heard is not None:
            heard.probe.problem = problem

    def record_other_name(self, name: str, other: str) -> None:
        """Record that a probe of ``name`` was answered in the name of another neighbor."""
        heard = self._heard.get(name)
        if heard is not None:
            heard.probe.other_name = other

    def record_receivers(self, name: str, receivers: int | None) -> None:
        """Record how many managers consume at the broker of a neighbor that does not answer; None: not known."""
        heard = self._heard.get(name)
        if heard is not None:
            heard.probe.receivers = receivers

    def silent_neighbors(self) -> list[Neighbor]:
        """Return the neighbors that do not answer, although their brokers accept messages."""
        now = self._clock()
        found = [(row, self._heard.get(row.name)) for row in self._neighbors.all().values()]
        return [row for row, heard in found if heard and heard.is_reachable and heard.probe.is_silent(now)]

    def record_ping_to_all(self, name: str) -> None:
        """Record that all managers of a neighbor are pinged now."""
        with self._lock:
            heard = self._heard.get(name)
            if heard is not None:
                heard.managers.begin()

    def record_manager(self, name: str, description: Mapping[str, Any]) -> None:
        """Record the answer of one manager of ``name`` to the latest ping to all of them."""
        self.record_version(name, description)
        with self._lock:
            heard = self._heard.get(name)
            if heard is not None:
                heard.managers.answer(description, self._clock())

    def namesake_of(self, name: str) -> Neighbor | None:
        """Return another neighbor, at another broker, whose cell has the same name by its own account."""
        rows = self._neighbors.all()
        own_name = self._own_name(name)
        if name not in rows or own_name is None:
            return None
        others = [row for row in rows.values() if row.name != name and not row.is_at_the_place_of(rows[name])]
        return next((row for row in others if self._own_name(row.name) == own_name), None)

    def _own_name(self, name: str) -> object:
        heard = self._heard.get(name)
        return heard.description.get("name") if heard is not None else None

    def record_request(self, name: str) -> None:
        """Record a ping of a neighbor, or any message of a cell ``name`` that is not registered."""
        with self._lock:
            heard = self._heard.get(name)
            if heard is not None:
                heard.asked_at = self._clock()
                self._strangers.pop(name, None)
            else:
                now = self._clock()
                # Those that no longer send make room for others.
                self._strangers = {
                    one: at for one, at in self._strangers.items() if now - at <= self._mute_after_seconds
                }
                if name in self._strangers or len(self._strangers) < MAX_STRANGERS:
                    self._strangers[name] = now

    def strangers(self) -> dict[str, float]:
        """Return the cells that send to this cell and are not registered, and the seconds since their last message."""
        with self._lock:
            now = self._clock()
            ages = {name: now - at for name, at in self._strangers.items() if name not in self._heard}
            return {name: age for name, age in ages.items() if age <= self._mute_after_seconds}

    def record_delivery(self, name: str, *, is_reachable: bool) -> None:
        """Record whether the neighbor's broker accepted a message."""
        heard = self._heard.get(name)
        if heard is not None:
            if is_reachable and not heard.is_reachable:
                heard.probe.problem = ""  # of the broker, which works again, while the neighbor may still be silent
            heard.is_reachable = is_reachable

    def record_link(self, name: str, link_state: str) -> None:
        """Record the state of a link, which a driver knows without sending a message.

        :param link_state: as of :class:`Heard`
        """
        heard = self._heard.get(name)
        if heard is not None:
            heard.link_state = link_state
            self.record_delivery(name, is_reachable=link_state != _DOWN)

    def is_way_to(self, name: str, driver: str, transport_url: str) -> bool:
        """Return whether messages for a neighbor are sent over this driver and URL now."""
        row = self._neighbors.get(name)
        return row is not None and row.way == (driver, transport_url)

    def is_link_down(self, name: str) -> bool:
        """Return whether the driver knows that it has no connection to a neighbor."""
        heard = self._heard.get(name)
        return heard is not None and heard.link_state == _DOWN

    def may_be(self, name: str, other: str) -> bool:
        """Return whether the neighbor that is registered as ``name`` may call itself ``other``.

        It may, unless ``other`` is the name of another neighbor, with another broker, or the link proves its name.
        """
        row, other_row = self._neighbors.get(name), self._neighbors.get(other)
        if name == other or row is None or row.is_direct:
            return name == other
        return other_row is None or row.is_at_the_place_of(other_row)

    def has_no_ping(self, name: str) -> bool:
        """Return whether a neighbor has no method ping: a cell of Nova, by its cap or by its own answer."""
        row, heard = self._neighbors.get(name), self._heard.get(name)
        return (row is not None and is_nova(row.version_cap)) or (heard is not None and heard.has_no_ping)

    def hears_nothing_from(self, name: str) -> bool:
        """Return whether a neighbor sends nothing that shows its life: a parent of Nova has no ping, and no news."""
        return name in self._neighbors.parents and self.has_no_ping(name) and self.is_silent(name)

    def heard(self, name: str) -> Heard | None:
        return self._heard.get(name)

    def state(self, name: str) -> State:
        heard = self._heard.get(name)
        if heard is None:
            return State.UNKNOWN
        if not heard.is_reachable or heard.link_state == _DOWN:
            return State.UNREACHABLE
        if heard.link_state == State.RECONNECTING.value:
            return State.RECONNECTING
        now = self._clock()
        if self.hears_nothing_from(name) and not heard.probe.is_silent(now) and heard.probe.receivers != 0:
            return State.UP if heard.probe.receivers else State.UNKNOWN
        if self.is_silent(name):
            return State.MUTE
        if heard.probe.is_silent(now):
            return State.SILENT
        if heard.probe.is_active and heard.probe.answered_at is None:
            return State.UNKNOWN
        return State.UP if heard.last_seen_at is not None else State.UNKNOWN

    def is_silent(self, name: str) -> bool:
        """Return whether the neighbor sent no message for longer than the mute interval; its broker does not matter."""
        heard = self._heard.get(name)
        if heard is None:
            return False
        return self.seconds_since(heard.last_seen_at or heard.registered_at) > self._mute_after_seconds

    def now(self) -> float:
        """Return the time in seconds of the monotonic clock that this table uses."""
        return self._clock()

    def seconds_since(self, moment: float) -> float:
        return self._clock() - moment

    def living_children(self) -> dict[str, Heard]:
        """Return the state of each child that has sent a message, and has answered, within the mute interval.

        A message alone is no proof: it may have waited in a queue while the child was stopped.
        """
        with self._lock:
            now = self._clock()
            return {
                name: self._heard[name]
                for name in self._neighbors.children
                if self._heard[name].last_seen_at is not None
                and now - (self._heard[name].last_seen_at or 0.0) <= self._mute_after_seconds
                and self._heard[name].probe.silent_seconds(now) <= self._mute_after_seconds
            }
