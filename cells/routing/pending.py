"""Calls that wait for answers from other cells.

A call waits as an entry in a table, not as a thread: an entry is completed by
the last answer or by its deadline, whichever comes first, exactly once.  What
comes later, twice, or from nobody who was asked finds nothing to complete.

Who answers may become known only on the way: an answer then names the cells that the
message was passed on to, and these are waited for too (:class:`Growing`).

A call may be monitored: an answer that is empty then says that the cell still works on
it, and the call is given up when there was silence for too long.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from cells import exceptions
from cells.counters import Counters
from cells.path import ANY_NEIGHBOR, below, first_name

LOG = logging.getLogger(__name__)

#: Takes the answers, JSON texts of Response.  Must not block.
Complete = Callable[[Sequence[str]], object]
#: Gives the answer that stands for a part that did not come, because its time is over or the
#: manager is stopping.
Substitute = Callable[[str, bool], str]


NEVER = float("inf")
#: Cells that may answer one call: a bound for what a neighbor may claim.
MAX_PARTS = 20_000
#: Characters of the longest way to one of them.
MAX_PART_LENGTH = 4096


@dataclass(frozen=True)
class Monitor:
    """A call that has to show that it is still worked on."""

    #: without a sign for so long it is over
    silence_seconds: float
    #: called at each sign; must not block
    on_still_working: Callable[[], object] | None = None


@dataclass(frozen=True)
class Growing:
    """A call whose answers come one by one from cells that are not all known when it starts."""

    #: called with the answers of each part as they come, instead of all at the end; must not block.  The call is
    #: complete when all of these calls have returned
    on_answers: Callable[[str, Sequence[str]], object] | None = None


class _Entry:
    """One waiting call: the parts (neighbors, or this cell) still missing, and the answers so far."""

    __slots__ = (
        "answered",
        "answers",
        "asked",
        "complete",
        "deadline",
        "growing",
        "is_over",
        "is_own",
        "missing",
        "monitor",
        "silent_at",
        "substitute",
        "telling",
    )

    def __init__(  # noqa: PLR0913  # what a call waits for, and for whom
        self,
        parts: Collection[str],
        complete: Complete,
        substitute: Substitute,
        *,
        is_own: bool,
        deadline: float,
        monitor: Monitor | None,
        growing: Growing | None,
        now: float,
    ) -> None:
        self.missing = set(parts)
        self.asked = frozenset(parts)
        self.answered: set[str] = set()
        self.growing = growing
        self.answers: list[str] = []
        self.complete = complete
        self.substitute = substitute
        self.is_own = is_own
        self.deadline = deadline
        self.monitor = monitor
        self.is_over = False
        #: calls of on_answers that have not returned yet
        self.telling = 0
        self.silent_at = NEVER
        self.heard_at(now)

    def heard_at(self, now: float) -> None:
        """It is worked on."""
        if self.monitor is not None:
            self.silent_at = now + self.monitor.silence_seconds

    def takes(self, part: str, passed_on_to: Sequence[str]) -> bool:
        """Whether the answers of ``part`` are new; if so, those that it names are waited for from now on."""
        if self.growing is None:
            is_missing = part in self.missing
            self.missing.discard(part)
            return is_missing
        # A cell may answer before the one that has passed the message on to it says so.
        if not self.knows(part) or part in self.answered or len(self.answered) >= MAX_PARTS:
            return False
        self.answered.add(part)
        self.missing.discard(part)
        self.grow(part, passed_on_to)
        return True

    def knows(self, part: str) -> bool:
        """Whether ``part`` was asked, or is below one that was."""
        return first_name(part) in self.asked and len(part) <= MAX_PART_LENGTH

    def grow(self, part: str, passed_on_to: Sequence[str]) -> None:
        """Wait for those, too, that ``part`` has passed the message on to."""
        room = MAX_PARTS - len(self.missing)
        for name in passed_on_to[:room]:
            deeper = below(part, name)
            if deeper not in self.answered and len(deeper) <= MAX_PART_LENGTH:
                self.missing.add(deeper)

    def keep(self, part: str, answers: Sequence[str]) -> Callable[[], object] | None:
        """Take answers to those that came; or who is to be called with them, without a lock."""
        if self.growing is not None and self.growing.on_answers is not None:
            return partial(self.growing.on_answers, part, answers)
        self.answers.extend(answers)
        return None

    @property
    def ends_at(self) -> float:
        """When it is given up, as far as is known now."""
        return min(self.deadline, self.silent_at)


class PendingCalls:
    """The table of waiting calls, by the id of the message.  Thread-safe."""

    def __init__(self, max_calls: int, counters: Counters, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_calls = max_calls
        self._counters = counters
        self._clock = clock
        lock = threading.RLock()
        #: two conditions, so that a call that comes or goes wakes up nobody whom it does not concern
        self._changed = threading.Condition(lock)
        self._is_idle = threading.Condition(lock)
        #: when the thread that watches the deadlines looks again by itself
        self._next_look = 0.0
        self._entries: dict[str, _Entry] = {}
        self._own_calls = 0
        self._deadlines: list[tuple[float, int, str, _Entry]] = []
        self._sequence = itertools.count()
        self._stopping = False
        self._reaper: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def start(self) -> None:
        """Start to watch the deadlines."""
        with self._changed:
            if self._reaper is None:
                self._stopping = False
                self._reaper = threading.Thread(target=self._watch_deadlines, name="cells-deadlines", daemon=True)
                self._reaper.start()

    def stop(self) -> None:
        """Complete what still waits, now, with substitutes; stop watching.  May be called twice."""
        with self._changed:
            self._stopping = True
            reaper, self._reaper = self._reaper, None
            waiting = list(self._entries.items())
            self._changed.notify_all()
            self._is_idle.notify_all()
        for message_id, entry in waiting:
            self._expire(message_id, entry, is_stopping=True)
        if reaper is not None:
            reaper.join()

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait until no call of a service waits any more; False if that took too long."""
        with self._is_idle:
            return self._is_idle.wait_for(lambda: len(self._entries) == self._own_calls, timeout_seconds)

    def expect(  # noqa: PLR0913  # what a call waits for, and for whom
        self,
        message_id: str,
        parts: Collection[str],
        timeout_seconds: float,
        complete: Complete,
        substitute: Substitute,
        *,
        is_own: bool = False,
        monitor: Monitor | None = None,
        growing: Growing | None = None,
    ) -> None:
        """Wait for one answer from each of ``parts``; then, or at the deadline, call ``complete`` once.

        :param parts: who has to answer; without any it is complete at once
        :param substitute: gives the answer for a part that is missing at the deadline
        :param is_own: the manager asks on its own account: a shutdown does not wait for it
        :param monitor: give up earlier, when there was silence for too long
        :param growing: not all who answer are known yet
        :raises cells.exceptions.ManagerBusy: too many calls wait already
        """
        if not parts:
            complete([])
            return
        with self._changed:
            if self._stopping:
                raise exceptions.ManagerStopping("The manager is shutting down and takes no more calls.")
            if not is_own and len(self._entries) - self._own_calls >= self._max_calls:
                self._counters.count("refused", "ManagerBusy")
                raise exceptions.ManagerBusy(
                    f"{self._max_calls} calls wait for their answers in this manager already "
                    "([cells] max_pending_calls): try again later."
                )
            if message_id in self._entries:
                raise exceptions.MalformedMessage(f"A message with the uuid {message_id} is waited for already.")
            now = self._clock()
            entry = self._entries[message_id] = _Entry(
                parts,
                complete,
                substitute,
                is_own=is_own,
                deadline=now + timeout_seconds,
                monitor=monitor,
                growing=growing,
                now=now,
            )
            self._own_calls += is_own
            self._watch(message_id, entry)

    def _watch(self, message_id: str, entry: _Entry) -> None:
        heapq.heappush(self._deadlines, (entry.ends_at, next(self._sequence), message_id, entry))
        if entry.ends_at < self._next_look:
            self._changed.notify_all()

    def add(self, message_id: str, part: str, answers: Sequence[str], passed_on_to: Sequence[str] = ()) -> bool:
        """Take the answers of one part.

        :param answers: empty: it still works on them, if the call wants to hear that
        :param passed_on_to: neighbors of that part that will answer, too
        :returns: False if nobody waits for them: too late, sent twice, or never asked
        """
        with self._changed:
            entry = self._entries.get(message_id)
            if entry is None:
                return False
            part = ANY_NEIGHBOR if ANY_NEIGHBOR in entry.missing else part
            if not answers and entry.monitor is not None and part in entry.missing:
                entry.heard_at(self._clock())
                tell = entry.monitor.on_still_working
            elif not answers and entry.growing is not None:
                # It says for whom to wait before it has an answer of its own.
                if entry.knows(part):
                    entry.grow(part, passed_on_to)
                return True
            elif entry.takes(part, passed_on_to):
                on_answers = entry.keep(part, answers)
                if not entry.missing:
                    self._remove(message_id)
                    entry.is_over = True
                if on_answers is not None:
                    entry.telling += 1
                    tell = partial(self._tell, entry, on_answers)
                else:
                    tell = partial(self._complete, entry) if entry.is_over else None
            else:
                return False
        if tell is not None:
            tell()
        return True

    def forget(self, message_id: str) -> None:
        """Wait for it no more, and tell nobody."""
        with self._changed:
            entry = self._entries.get(message_id)
            if entry is not None:
                entry.is_over = True
                entry.complete = lambda _answers: None
                self._remove(message_id)

    def _remove(self, message_id: str) -> None:
        self._own_calls -= self._entries.pop(message_id).is_own
        if len(self._deadlines) > 2 * len(self._entries) + 64:
            # Deadlines of completed calls are left in the heap; a burst must not leave it large.
            self._deadlines = [item for item in self._deadlines if self._entries.get(item[2]) is item[3]]
            heapq.heapify(self._deadlines)
        if len(self._entries) == self._own_calls:
            self._is_idle.notify_all()

    def _expire(self, message_id: str, entry: _Entry, *, is_stopping: bool = False) -> None:
        with self._changed:
            if self._entries.get(message_id) is not entry:
                return
            self._remove(message_id)
            entry.is_over = True
            entry.telling += 1
        for _ in entry.missing:
            self._counters.count("given_up" if is_stopping else "timed_out")
        self._tell(entry, partial(_substitute, entry, is_stopping))

    def _tell(self, entry: _Entry, tell: Callable[[], object]) -> None:
        """Call ``tell``; the last of those that were under way when the call ended completes it."""
        _call(tell)
        with self._changed:
            entry.telling -= 1
            is_last = entry.is_over and not entry.telling
        if is_last:
            self._complete(entry)

    def _complete(self, entry: _Entry) -> None:
        _call(partial(entry.complete, entry.answers))

    def _watch_deadlines(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                now = self._clock()
                self._next_look = self._deadlines[0][0] if self._deadlines else NEVER
                if self._next_look > now:
                    self._changed.wait(min(self._next_look - now, threading.TIMEOUT_MAX))
                    continue
                _, _, message_id, entry = heapq.heappop(self._deadlines)
                if entry.ends_at > now:
                    if self._entries.get(message_id) is entry:
                        self._watch(message_id, entry)
                    continue
            # The id may have come again since, with a deadline of its own.
            self._expire(message_id, entry)


def _substitute(entry: _Entry, is_stopping: bool) -> None:  # of partial
    """Give the answers that stand for those that did not come."""
    for part in sorted(entry.missing):
        _call(partial(_substitute_one, entry, part, is_stopping))


def _substitute_one(entry: _Entry, part: str, is_stopping: bool) -> None:  # of partial
    on_answers = entry.keep(part, [entry.substitute(part, is_stopping)])
    if on_answers is not None:
        on_answers()


def _call(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:  # a callback's bug must not end the thread that serves everybody
        LOG.exception("The answers to a call could not be passed on.")
