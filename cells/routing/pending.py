"""Calls that wait for answers from other cells.

A call waits as an entry in a table, not as a thread.  The last answer or the deadline completes the entry, whichever
comes first, exactly once.  Late, duplicate and unsolicited answers are refused.

The cells that answer may become known only while the call waits: an answer then names the cells to which the message
was forwarded, and the call waits for these, too (:class:`Growing`).

A call may be monitored: replies of kind WORKING then show that a cell still works on the call, which is given up if
they stop (:class:`Monitor`).
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from cells import exceptions
from cells.counters import Counters
from cells.messages import EncodedResponse
from cells.path import ANY_NEIGHBOR, below, first_name
from cells.routing.reply import Kind, Reply, Sink
from cells.worker_threads import Clock, Spawn, Thread, start_thread

LOG = logging.getLogger(__name__)

NEVER = float("inf")
#: Bound of the cells that may answer one call, because a neighbor may claim any number of them.
MAX_PARTS = 20_000
#: Characters of the longest path to one of these cells.
MAX_PART_LENGTH = 4096


class Substitutes(Protocol):
    """Source of the responses that stand for missing answers."""

    def response(self, part: str, *, is_stopping: bool) -> EncodedResponse:
        """Return the response that stands for the answer of ``part``.

        :param is_stopping: the call ends because the manager stops, and not at its deadline
        """


@dataclass(frozen=True)
class Monitor:
    """The rule that a call is given up unless WORKING replies keep coming."""

    #: the call is given up after so long without a reply
    silence_seconds: float
    #: called at each WORKING reply; must not block
    on_still_working: Callable[[], object] | None = None


@dataclass(frozen=True)
class Growing:
    """The rule that an answer may name further cells, for which the call then waits."""

    #: takes the reply of each part as it comes, with the part as ``branch``; None: the call's own sink takes all
    #: responses at the end.  The call completes when all calls of ``parts_to`` have returned
    parts_to: Sink | None = None


@dataclass(frozen=True)
class Wait:
    """How long a call waits, and on which conditions."""

    seconds: float
    #: the manager has made the call for itself: a graceful stop does not wait for it
    is_own: bool = False
    monitor: Monitor | None = None
    growing: Growing | None = None


class _Entry:
    """One waiting call: the parts (neighbors, or this cell) that are missing, and the responses so far."""

    __slots__ = (
        "answered",
        "asked",
        "deadline",
        "growing",
        "is_over",
        "is_own",
        "missing",
        "monitor",
        "parts_to",
        "replies",
        "silent_at",
        "sink",
        "streaming",
        "substitutes",
    )

    def __init__(self, parts: Collection[str], wait: Wait, sink: Sink, substitutes: Substitutes, now: float) -> None:
        self.missing = set(parts)
        self.asked = frozenset(parts)
        self.answered: set[str] = set()
        #: the answers that the sink gets at the end
        self.replies: list[Reply] = []
        #: None once the call is forgotten
        self.sink: Sink | None = sink
        self.substitutes = substitutes
        self.is_own = wait.is_own
        self.deadline = now + wait.seconds
        self.monitor = wait.monitor
        self.growing = wait.growing
        self.parts_to = None if wait.growing is None else wait.growing.parts_to
        self.is_over = False
        #: calls of ``parts_to`` that have not returned yet
        self.streaming = 0
        self.silent_at = NEVER
        self.heard_at(now)

    def heard_at(self, now: float) -> None:
        """Note a sign that a cell still works on the call."""
        if self.monitor is not None:
            self.silent_at = now + self.monitor.silence_seconds

    @property
    def ends_at(self) -> float:
        """Return the time at which the call is given up, as far as is known now."""
        return min(self.deadline, self.silent_at)

    def takes(self, part: str, passed_on_to: Sequence[str]) -> bool:
        """Return whether the answer of ``part`` is new; if so, wait for the cells that the answer names."""
        if self.growing is None:
            is_missing = part in self.missing
            self.missing.discard(part)
            return is_missing
        # A cell may answer before the cell that has forwarded the message to it names it.
        if not self.knows(part) or part in self.answered or len(self.answered) >= MAX_PARTS:
            return False
        self.answered.add(part)
        self.missing.discard(part)
        self.grow(part, passed_on_to)
        return True

    def knows(self, part: str) -> bool:
        """Return whether ``part`` was asked, or is below a part that was asked."""
        return first_name(part) in self.asked and len(part) <= MAX_PART_LENGTH

    def grow(self, part: str, passed_on_to: Sequence[str]) -> None:
        """Wait for the cells, too, to which ``part`` has forwarded the message."""
        room = MAX_PARTS - len(self.missing)
        for name in passed_on_to[:room]:
            deeper = below(part, name)
            if deeper not in self.answered and len(deeper) <= MAX_PART_LENGTH:
                self.missing.add(deeper)

    def complete(self) -> None:
        """Give the sink the answers, unless the call is forgotten."""
        if self.sink is None:
            return
        if len(self.replies) == 1:
            _give(self.sink, self.replies[0])
        else:
            _give(self.sink, Reply(responses=tuple([one for reply in self.replies for one in reply.responses])))


class PendingCalls:
    """Table of the waiting calls, by the id of the message.  Thread-safe."""

    def __init__(
        self, max_calls: int, counters: Counters, clock: Clock = time.monotonic, spawn: Spawn = start_thread
    ) -> None:
        self._max_calls = max_calls
        self._counters = counters
        self._clock = clock
        self._spawn = spawn
        lock = threading.RLock()
        #: two conditions, so that a call that starts or ends wakes up only the threads that it concerns
        self._changed = threading.Condition(lock)
        self._is_idle = threading.Condition(lock)
        #: the time at which the thread that watches the deadlines looks again by itself
        self._next_look = 0.0
        self._entries: dict[str, _Entry] = {}
        self._own_calls = 0
        self._deadlines: list[tuple[float, int, str, _Entry]] = []
        self._sequence = itertools.count()
        self._stopping = False
        self._watcher: Thread | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def watched_deadlines(self) -> int:
        """Return the number of deadlines that are kept, which includes some of completed calls."""
        return len(self._deadlines)

    def start(self) -> None:
        """Start to watch the deadlines."""
        with self._changed:
            if self._watcher is None:
                self._stopping = False
                self._watcher = self._spawn(self._watch_deadlines, "cells-deadlines")

    def stop(self) -> None:
        """Complete all waiting calls with substitutes, and stop to watch.  May be called twice."""
        with self._changed:
            self._stopping = True
            watcher, self._watcher = self._watcher, None
            waiting = list(self._entries.items())
            self._changed.notify_all()
            self._is_idle.notify_all()
        for message_id, entry in waiting:
            self._expire(message_id, entry, is_stopping=True)
        if watcher is not None:
            watcher.join()

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Block until no call of a service waits; return False if that took longer than the timeout."""
        with self._is_idle:
            return self._is_idle.wait_for(self._has_only_own_calls, timeout_seconds)

    def _has_only_own_calls(self) -> bool:
        return len(self._entries) == self._own_calls

    def expect(self, message_id: str, parts: Collection[str], wait: Wait, sink: Sink, substitutes: Substitutes) -> None:
        """Wait for one reply from each of ``parts``; then, or at the deadline, give ``sink`` all responses once.

        :param parts: the neighbors that have to answer; without any the call completes at once
        :param substitutes: gives the responses of the parts that are missing at the deadline
        :raises cells.exceptions.ManagerBusy: too many calls wait already
        :raises cells.exceptions.ManagerStopping: the manager is stopping
        :raises cells.exceptions.MalformedMessage: a message of this id is waited for already
        """
        if not parts:
            sink.take(Reply())
            return
        with self._changed:
            if self._stopping:
                raise exceptions.ManagerStopping("The manager is shutting down and takes no more calls.")
            if not wait.is_own and len(self._entries) - self._own_calls >= self._max_calls:
                self._counters.count("refused", "ManagerBusy")
                raise exceptions.ManagerBusy(
                    f"{self._max_calls} calls wait for their answers in this manager already "
                    "([cells] max_pending_calls): try again later."
                )
            if message_id in self._entries:
                raise exceptions.MalformedMessage(f"A message with the uuid {message_id} is waited for already.")
            entry = self._entries[message_id] = _Entry(parts, wait, sink, substitutes, self._clock())
            self._own_calls += wait.is_own
            self._watch(message_id, entry)

    def _watch(self, message_id: str, entry: _Entry) -> None:
        """Note the deadline of an entry.  The caller holds the lock."""
        heapq.heappush(self._deadlines, (entry.ends_at, next(self._sequence), message_id, entry))
        if entry.ends_at < self._next_look:
            self._changed.notify_all()

    def add(self, message_id: str, part: str, reply: Reply) -> bool:
        """Take a reply of one part.

        A WORKING reply keeps a monitored call waiting, and names further cells to a growing call.  To any other call
        it is an answer without a response: a cell does not send one to a call that it cannot help.

        :returns: False if no call waits for the reply: it is late, a duplicate, or unsolicited
        """
        with self._changed:
            entry = self._entries.get(message_id)
            if entry is None:
                return False
            part = ANY_NEIGHBOR if ANY_NEIGHBOR in entry.missing else part
            monitor, parts_to = entry.monitor, entry.parts_to
            is_sign = reply.kind is Kind.WORKING and monitor is not None and part in entry.missing
            if is_sign:
                entry.heard_at(self._clock())
            elif reply.kind is Kind.WORKING and entry.growing is not None:
                # The part names the cells to wait for before it has an answer of its own.
                if entry.knows(part):
                    entry.grow(part, reply.passed_on_to)
                return True
            elif not entry.takes(part, reply.passed_on_to):
                return False
            else:
                self._keep(message_id, entry, reply)
        if is_sign:
            if monitor is not None and monitor.on_still_working is not None:
                monitor.on_still_working()
        elif parts_to is not None:
            _give(parts_to, reply._replace(branch=part))
            self._end_streaming(entry)
        elif entry.is_over:
            entry.complete()
        return True

    def _keep(self, message_id: str, entry: _Entry, reply: Reply) -> None:
        """Note an answer.  The caller holds the lock, and streams or completes the entry after releasing it."""
        if not entry.missing:
            self._remove(message_id)
            entry.is_over = True
        if entry.parts_to is None:
            entry.replies.append(reply)
        else:
            entry.streaming += 1

    def forget(self, message_id: str) -> None:
        """Stop waiting for a call, and give its sink nothing."""
        with self._changed:
            entry = self._entries.get(message_id)
            if entry is not None:
                entry.is_over = True
                entry.sink = None
                self._remove(message_id)

    def _remove(self, message_id: str) -> None:
        """Take an entry out of the table.  The caller holds the lock."""
        self._own_calls -= self._entries.pop(message_id).is_own
        if len(self._deadlines) > 2 * len(self._entries) + 64:
            # The heap keeps the deadlines of completed calls; it must not stay large after a burst of calls.
            self._deadlines = [item for item in self._deadlines if self._entries.get(item[2]) is item[3]]
            heapq.heapify(self._deadlines)
        if self._has_only_own_calls():
            self._is_idle.notify_all()

    def _expire(self, message_id: str, entry: _Entry, *, is_stopping: bool = False) -> None:
        with self._changed:
            if self._entries.get(message_id) is not entry:
                return
            self._remove(message_id)
            entry.is_over = True
            entry.streaming += 1
        for _ in entry.missing:
            self._counters.count("given_up" if is_stopping else "timed_out")
        for part in sorted(entry.missing):
            _substitute(entry, part, is_stopping=is_stopping)
        self._end_streaming(entry)

    def _end_streaming(self, entry: _Entry) -> None:
        """Complete an entry that is over when the last of its parts has been streamed."""
        with self._changed:
            entry.streaming -= 1
            is_last = entry.is_over and not entry.streaming
        if is_last:
            entry.complete()

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


def _substitute(entry: _Entry, part: str, *, is_stopping: bool) -> None:
    try:
        reply = Reply(Kind.ANSWER, (entry.substitutes.response(part, is_stopping=is_stopping),), branch=part)
    except Exception:  # a bug must not end the thread that watches all deadlines
        LOG.exception("The missing answer of a cell could not be replaced.")
        return
    if entry.parts_to is None:
        entry.replies.append(reply)
    else:
        _give(entry.parts_to, reply)


def _give(sink: Sink, reply: Reply) -> None:
    try:
        sink.take(reply)
    except Exception:  # a bug of a sink must not end the thread that serves all calls
        LOG.exception("The answers to a call could not be passed on.")
