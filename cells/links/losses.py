"""The ledger of losses: the messages that this manager accepted and gave up, per cell, kind and reason.

A message is *accepted* when this manager has taken it from its broker, and *passed on* when the broker of the next cell
has it, or when it has run here.  The ledger tells three outcomes of a message that was given up apart:

- *lost*: it has not arrived, and its sender was not told;
- *may have arrived*: its sender was not told, and a broker may have it nevertheless;
- *told*: its sender got an error.

The losses of a cell are summed up in one WARNING a minute, and in one more when its broker takes messages again.  The
numbers survive a kill -9 (:mod:`cells.links.loss_file`): the messages that were in flight then are counted at the next
start as messages that may have arrived.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from cells.links.loss_file import LossFile, open_or_set_aside
from cells.worker_threads import Clock

LOG = logging.getLogger(__name__)

SUMMARY_SECONDS = 60.0
#: A neighbor whose broker has refused nothing for so long may be back: only a message shows whether it is.
TRIAL_SECONDS = 30.0
#: Reason of the messages that were in flight when the manager was killed.
KILLED = "killed"
#: Reason under which the messages in flight of a kind are counted.
_IN_FLIGHT = ""


class Key(NamedTuple):
    """The messages that share a count."""

    #: the neighbor that did not get them, or that has sent them, or this cell for messages of its own services
    cell: str
    #: as :mod:`cells.messages.kinds` names it; a message without a kind is not counted
    kind: str
    #: the class of the error; ``here: `` in front of it says that this cell did not run or forward the message
    reason: str


@dataclass(slots=True)
class Tally:
    """Numbers of messages."""

    lost: int = 0
    may_have_arrived: int = 0
    told: int = 0
    #: accepted, and neither passed on nor given up
    in_flight: int = 0
    #: taken by a neighbor's broker since this process began; in no file, and in no sum
    delivered: int = 0

    def add(self, other: Tally) -> None:
        self.lost += other.lost
        self.may_have_arrived += other.may_have_arrived
        self.told += other.told

    @property
    def is_silent(self) -> bool:
        """Whether no message of them is untold."""
        return not self.lost and not self.may_have_arrived

    def __str__(self) -> str:
        parts = {"lost": self.lost, "may have arrived": self.may_have_arrived, "told to the sender": self.told}
        return ", ".join(f"{count} {word}" for word, count in parts.items() if count)


@dataclass(slots=True)
class _Unreported:
    """The losses of a cell since its last summary."""

    since: float
    tallies: dict[Key, Tally]


class Losses:
    """The ledger of one manager.  Thread-safe."""

    def __init__(self, clock: Clock = time.monotonic, wall_clock: Clock = time.time) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._tallies: dict[Key, Tally] = {}
        self._slots: dict[Key, int] = {}
        #: (cell, kind) -> the tally of the messages in flight, and its slot in the file
        self._flights: dict[tuple[str, str], tuple[Tally, int | None]] = {}
        self._file: LossFile | None = None
        self._unreported: dict[str, _Unreported] = {}
        #: cell whose broker takes no messages -> since when, and its losses until then
        self._away: dict[str, tuple[float, Tally]] = {}
        #: cell -> when its broker did not take a message last
        self._failed_at: dict[str, float] = {}
        #: seconds since 1970
        self.started_at = int(wall_clock())

    def open(self, path: Path) -> None:
        """Continue the counts of a file; log the messages that were in flight when the last manager was killed.

        If the file cannot be used, a WARNING says so, and the counts start at zero and end with the process.
        """
        try:
            file, aside = open_or_set_aside(path, self._wall_clock())
        except OSError as error:
            LOG.warning(
                "The counts of lost messages will not survive a restart: the file %s cannot be used: %s. Check "
                "[DEFAULT] state_path, and that each manager of a host has a name of its own ([DEFAULT] host).",
                path,
                error.strerror or error,
            )
            return
        if aside is not None:
            LOG.warning("The counts of lost messages start at zero: the file was unreadable, and is now %s.", aside)
        with self._lock:
            self._file, self.started_at = file, file.started_at
            self._flights.clear()
            for slot, record in enumerate(file.records()):
                key = Key(*record[:3])
                self._slots[key] = slot
                self._tallies[key] = Tally(*record[3:])
            killed = {key: tally.in_flight for key, tally in self._tallies.items() if tally.in_flight}
            for key, count in killed.items():
                self._add(Key(key.cell, key.kind, KILLED), Tally(may_have_arrived=count))
                self._in_flight(key.cell, key.kind, -count)
        if killed:
            LOG.warning(
                "The last manager of this host was killed: %d messages that it had accepted were perhaps not passed "
                "on, and count as messages that may have arrived: %s.",
                sum(killed.values()),
                ", ".join(f"{count} {key.kind} ({key.cell})" for key, count in sorted(killed.items())),
            )

    def close(self) -> None:
        """Log the losses that are not logged yet, and close the file.  May be called twice."""
        self.report_due(after_seconds=0.0)
        with self._lock:
            file, self._file = self._file, None
            self._slots.clear()
            self._flights.clear()
        if file is not None:
            file.close()

    def accept(self, cell: str, kinds: Sequence[str]) -> None:
        """Count messages as in flight toward ``cell``, before they can be passed on or given up."""
        self._count_in_flight(cell, kinds, 1)

    def pass_on(self, cell: str, kinds: Sequence[str]) -> None:
        """Count messages as no longer in flight.  A message that is given up is counted as such before."""
        self._count_in_flight(cell, kinds, -1)

    def deliver(self, cell: str, kinds: Sequence[str]) -> None:
        """Count messages as no longer in flight, because the broker of ``cell`` has them."""
        self._count_in_flight(cell, kinds, -1, delivered=1)

    def _count_in_flight(self, cell: str, kinds: Sequence[str], sign: int, delivered: int = 0) -> None:
        # Called twice for each message.  Most messages that are queued together are of one kind.
        with self._lock:
            if len(kinds) == 1:
                if kinds[0]:
                    self._in_flight(cell, kinds[0], sign, delivered)
                return
            for kind in set(kinds):
                if kind:
                    count = kinds.count(kind)
                    self._in_flight(cell, kind, sign * count, delivered * count)

    def _in_flight(self, cell: str, kind: str, change: int, delivered: int = 0) -> None:
        """Caller holds the lock."""
        known = self._flights.get((cell, kind))
        if known is None:
            key = Key(cell, kind, _IN_FLIGHT)
            tally = self._tallies.get(key) or self._new(key)
            known = self._flights[cell, kind] = (tally, self._slots.get(key))
        tally, slot = known
        tally.in_flight += change
        tally.delivered += delivered
        if slot is not None and self._file is not None:
            self._file.write_in_flight(slot, tally.in_flight if tally.in_flight > 0 else 0)

    def give_up(self, key: Key, outcome: Tally) -> None:
        """Count messages that are given up."""
        if not key.kind:
            return
        with self._lock:
            self._add(key, outcome)
            unreported = self._unreported.get(key.cell)
            if unreported is None:
                unreported = self._unreported[key.cell] = _Unreported(self._clock(), {})
            unreported.tallies.setdefault(key, Tally()).add(outcome)

    def _add(self, key: Key, outcome: Tally) -> None:
        """Caller holds the lock."""
        tally = self._tallies.get(key) or self._new(key)
        tally.add(outcome)
        slot = self._slots.get(key)
        if slot is not None and self._file is not None:
            self._file.write(slot, tally.lost, tally.may_have_arrived, tally.told, max(tally.in_flight, 0))

    def _new(self, key: Key) -> Tally:
        """Caller holds the lock."""
        tally = self._tallies[key] = Tally()
        if self._file is not None:
            slot = self._file.add(*key)
            if slot is not None:
                self._slots[key] = slot
        return tally

    def report_due(self, after_seconds: float = SUMMARY_SECONDS) -> None:
        """Log a summary of each cell with losses that are older than so many seconds; called periodically."""
        now = self._clock()
        with self._lock:
            due = [cell for cell, found in self._unreported.items() if now - found.since >= after_seconds]
            found = {cell: self._unreported.pop(cell) for cell in due}
        for cell, unreported in found.items():
            total = _total(unreported.tallies.values())
            LOG.log(
                logging.INFO if total.is_silent else logging.WARNING,
                "Messages to or from cell %s were given up within %.0f s: %s (%s).",
                cell,
                now - unreported.since,
                total,
                _details(unreported.tallies),
            )

    def went_away(self, cell: str) -> None:
        """Note that the broker of ``cell`` takes no messages."""
        with self._lock:
            self._failed_at[cell] = self._clock()
            if cell not in self._away:
                self._away[cell] = (self._clock(), self._total_of(cell))

    def is_away(self, cell: str) -> bool:
        """Return whether the broker of ``cell`` did not take the last message, which was sent a short time ago."""
        return cell in self._away and self._clock() - self._failed_at.get(cell, 0.0) < TRIAL_SECONDS

    def came_back(self, cell: str) -> None:
        """Note that the broker of ``cell`` takes messages; if it was away, sum up the losses of that time."""
        if cell not in self._away:
            return
        with self._lock:
            since, before = self._away.pop(cell, (self._clock(), Tally()))
            unreported = self._unreported.get(cell)
            if unreported is not None and unreported.since >= since:
                # Older ones are in no other line than their summary.
                del self._unreported[cell]
            now = self._total_of(cell)
        lost = Tally(now.lost - before.lost, now.may_have_arrived - before.may_have_arrived, now.told - before.told)
        LOG.log(
            logging.INFO if lost.is_silent else logging.WARNING,
            "Cell %s takes messages again after %.0f s; messages given up meanwhile: %s.",
            cell,
            self._clock() - since,
            str(lost) or "none",
        )

    def _total_of(self, cell: str) -> Tally:
        """Caller holds the lock."""
        return _total(tally for key, tally in self._tallies.items() if key.cell == cell)

    def of(self, cell: str) -> dict[str, Any]:
        """Return the numbers of one cell: ``{"lost", "may_have_arrived", "told", "in_flight", "losses"}``.

        ``losses`` is a list of ``{"kind", "reason", "lost", "may_have_arrived", "told"}``.
        """
        with self._lock:
            tallies = {key: tally for key, tally in sorted(self._tallies.items()) if key.cell == cell}
            total = _total(tallies.values())
            return {
                "lost": total.lost,
                "may_have_arrived": total.may_have_arrived,
                "told": total.told,
                "in_flight": sum(tally.in_flight for tally in tallies.values()),
                "losses": [
                    {
                        "kind": key.kind,
                        "reason": key.reason,
                        "lost": tally.lost,
                        "may_have_arrived": tally.may_have_arrived,
                        "told": tally.told,
                    }
                    for key, tally in tallies.items()
                    if key.reason != _IN_FLIGHT
                ],
            }

    def tallies(self) -> dict[Key, Tally]:
        """Return a copy of all numbers.  Messages in flight, and delivered ones, have an empty reason."""
        with self._lock:
            return {key: replace(tally) for key, tally in self._tallies.items()}

    def as_dict(self) -> dict[str, int]:
        """Return all numbers that are not zero: ``{"east.cast.NeighborUnreachable.lost": 3}``."""
        with self._lock:
            return {
                ".".join(filter(None, (*key, name))): count
                for key, tally in sorted(self._tallies.items())
                for name, count in (
                    ("lost", tally.lost),
                    ("may_have_arrived", tally.may_have_arrived),
                    ("told", tally.told),
                    ("in_flight", tally.in_flight),
                )
                if count
            }


def _total(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total


def _details(tallies: Mapping[Key, Tally]) -> str:
    return "; ".join(f"{key.kind}, {key.reason}: {tally}" for key, tally in sorted(tallies.items()))
