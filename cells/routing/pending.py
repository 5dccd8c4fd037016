"""Calls that wait for answers from other cells.

A call waits as an entry in a table, not as a thread.  The last answer or the deadline completes the entry, whichever
comes first, exactly once.  Late, duplicate and unsolicited answers are refused.

The cells that answer may become known only while the call waits: an answer then names the cells to which the message
was forwarded, and the call waits for these, too (:class:`cells.routing.waiting_call.Growing`).

A call may be monitored: replies of kind WORKING then show that a cell still works on the call, which is given up if
they stop (:class:`cells.routing.waiting_call.Monitor`).
"""

from __future__ import annotations

import heapq
import itertools
import logging
import operator
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from cells import exceptions
from cells.counters import Counters
from cells.limited_log import LimitedLog
from cells.messages import HERE
from cells.path import first_name
from cells.routing import named_cells
from cells.routing.budgets import NeighborBudgets
from cells.routing.reply import Kind, Reply, Sink
from cells.routing.waiting_call import NEVER, Substitutes, Wait, WaitingCall
from cells.worker_threads import Clock, Spawn, Thread, start_thread

LOG = logging.getLogger(__name__)

#: A stop waits no longer for the answers that neighbors wait for; their callers get an error.
FOREIGN_STOP_SECONDS = 2.0
#: The thread that watches the deadlines goes round at least so often, to show that it can.
LOOK_SECONDS = 1.0


class PendingCalls:
    """Table of the waiting calls, by the id of the message.  Thread-safe."""

    def __init__(  # noqa: PLR0913  # three by keyword
        self,
        max_calls: int,
        counters: Counters,
        clock: Clock = time.monotonic,
        spawn: Spawn = start_thread,
        *,
        max_casts: int = 20_000,
        budgets: NeighborBudgets | None = None,
        is_same: Callable[[str, str], bool] = operator.eq,
    ) -> None:
        """:param max_calls: of services of this cell
        :param max_casts: of services of this cell, whose callers wait until the next cell has them
        :param budgets: of the calls for neighbors; None: there are no such calls
        :param is_same: returns whether a registered neighbor may have another name for itself
        """
        self._max_calls = max_calls
        self._max_casts = max_casts
        self._counters = counters
        self._budgets = budgets
        self._is_same = is_same
        self._clock = clock
        self._log = LimitedLog(LOG, clock)
        self._spawn = spawn
        lock = threading.RLock()
        #: two conditions, so that a call that starts or ends wakes up only the threads that it concerns
        self._changed = threading.Condition(lock)
        self._is_idle = threading.Condition(lock)
        #: the time at which the thread that watches the deadlines looks again by itself
        self._next_look = 0.0
        self._entries: dict[str, WaitingCall] = {}
        self._own_calls = 0
        self._foreign_calls = 0
        self._casts = 0
        self._deadlines: list[tuple[float, int, str, WaitingCall]] = []
        self._sequence = itertools.count()
        self._stopping = False
        self._watcher: Thread | None = None
        #: when the thread that watches the deadlines last went round; None: it does not run
        self.looked_at: float | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def by_origin(self) -> dict[str, int]:
        """Return the number of waiting calls: of this manager itself, of services of this cell, and for neighbors.

        Casts of services whose callers wait until the next cell has them are counted apart, as ``cast``.
        """
        with self._changed:
            service = self._local_calls - self._casts
            return {
                "manager": self._own_calls,
                "service": service,
                "cast": self._casts,
                "neighbor": self._foreign_calls,
            }

    def oldest(self, count: int) -> list[tuple[str, float, list[str]]]:
        """Return the calls that wait for the longest time: id, age in seconds, and some of the missing parts."""
        with self._changed:
            found = sorted(self._entries.items(), key=lambda one: one[1].began_at)[:count]
            now = self._clock()
            return [(message_id, now - one.began_at, sorted(one.missing)[:10]) for message_id, one in found]

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
        self.looked_at = None

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Block until no call of a service of this cell waits; return False if that took longer than the timeout.

        The calls for neighbors have FOREIGN_STOP_SECONDS of the timeout.
        """
        foreign_deadline = time.monotonic() + min(timeout_seconds, FOREIGN_STOP_SECONDS)
        with self._is_idle:
            is_idle = self._is_idle.wait_for(lambda: not self._local_calls, timeout_seconds)
            self._is_idle.wait_for(
                lambda: not self._local_calls + self._foreign_calls, max(0.0, foreign_deadline - time.monotonic())
            )
        return is_idle

    @property
    def _local_calls(self) -> int:
        """The number of calls and awaited casts of services of this cell."""
        return len(self._entries) - self._own_calls - self._foreign_calls

    def expect(self, message_id: str, parts: Collection[str], wait: Wait, sink: Sink, substitutes: Substitutes) -> None:
        """Wait for one reply from each of ``parts``; then, or at the deadline, give ``sink`` all responses once.

        :param parts: the neighbors that have to answer; without any the call completes at once
        :param substitutes: gives the responses of the parts that are missing at the deadline
        :raises cells.exceptions.ManagerBusy: too many calls or casts of services, or calls of that neighbor, wait
            already
        :raises cells.exceptions.ManagerStopping: the manager is stopping
        :raises cells.exceptions.MalformedMessage: a message of this id is waited for already
        """
        if not parts:
            sink.take(Reply())
            return
        with self._changed:
            if self._stopping:
                raise exceptions.ManagerStopping("The manager is shutting down and takes no more calls.")
            if not wait.is_own and not wait.is_foreign:
                self._check_room(wait)
            if message_id in self._entries:
                raise exceptions.MalformedMessage(f"A message with the uuid {message_id} is waited for already.")
            if wait.neighbor and self._budgets is not None:
                self._budgets.take(wait.neighbor, wait.size_bytes)
            entry = self._entries[message_id] = WaitingCall(parts, wait, sink, substitutes, self._clock())
            self._own_calls += wait.is_own
            self._foreign_calls += wait.is_foreign
            self._casts += wait.is_confirmation
            self._watch(message_id, entry)

    def _check_room(self, wait: Wait) -> None:
        """Check that a service of this cell may wait.  The caller holds the lock."""
        problem = ""
        if wait.is_confirmation:
            if self._casts >= self._max_casts:
                problem = (
                    f"The callers of {self._max_casts} casts wait in this manager already until the next cell has "
                    "taken them ([cells] max_waiting_casts): a link is reconnecting, or its neighbor is slow "
                    '("cells neighbor status" shows it); try again later.'
                )
        elif self._local_calls - self._casts >= self._max_calls:
            problem = (
                f"{self._max_calls} calls wait for their answers in this manager already "
                "([cells] max_pending_calls): try again later."
            )
        if problem:
            self._counters.count("refused", "ManagerBusy")
            raise exceptions.ManagerBusy(problem)

    def _watch(self, message_id: str, entry: WaitingCall) -> None:
        """Note the deadline of an entry.  The caller holds the lock."""
        heapq.heappush(self._deadlines, (entry.ends_at, next(self._sequence), message_id, entry))
        if entry.ends_at < self._next_look:
            self._changed.notify_all()

    def add(self, message_id: str, answering: str, reply: Reply) -> bool:
        """Take a reply of one part.

        A WORKING reply keeps a monitored call waiting, and names further cells to a growing call.  To any other call
        it is an answer without a response: a cell does not send one to a call that it cannot help.

        :param answering: the way to the cell that has answered, without this cell
        :returns: False if no call waits for the reply: it is late, a duplicate, unsolicited, or from a branch that was
            not asked
        """
        reply = self._of_branch(message_id, answering, reply)
        with self._changed:
            entry = self._entries.get(message_id)
            if entry is None:
                return False
            part = entry.part_of(answering, self._is_same)
            if part is None:
                self._counters.count("dropped", "unasked_branch")
                return False
            monitor = entry.monitor
            is_sign = reply.kind is Kind.WORKING and monitor is not None and part in entry.missing
            if is_sign:
                entry.heard_at(self._clock())
            elif reply.kind is Kind.WORKING and entry.growing is not None:
                # The part names the cells to wait for before it has an answer of its own.
                entry.grow(part, reply.passed_on_to)
                return True
            elif not entry.takes(part, reply):
                return False
            else:
                # Read here: without the lock, a later answer or the deadline may have ended the call meanwhile.
                is_last = self._keep(message_id, entry, reply)
        if is_sign:
            if monitor is not None and monitor.on_still_working is not None:
                monitor.on_still_working()
        elif entry.parts_to is not None:
            entry.stream(part, reply)
            self._end_streaming(entry)
        elif is_last:
            entry.complete()
        return True

    def _of_branch(self, message_id: str, answering: str, reply: Reply) -> Reply:
        """Return the reply without answers in the names of cells of other branches.

        Without the lock, because the answers may be long.
        """
        entry = self._entries.get(message_id)
        if entry is None or not entry.route or answering == HERE:
            return reply
        responses, error = named_cells.of_branch(entry.route, answering, reply.responses)
        if error is None:
            return reply
        self._counters.count("dropped", "foreign_cell")
        self._log.warn_about(f"foreign answers of {first_name(answering)}", "An answer is dropped: %s", error.message)
        return reply._replace(kind=Kind.ANSWER, responses=responses)

    def _keep(self, message_id: str, entry: WaitingCall, reply: Reply) -> bool:
        """Note an answer; return whether it is the last one.

        The caller holds the lock, and streams or completes the entry after releasing it.
        """
        if not entry.missing:
            self._remove(message_id)
            entry.is_over = True
            self._count_end(entry, "complete")
        if entry.parts_to is None:
            entry.replies.append(reply)
        else:
            entry.streaming += 1
        return entry.is_over

    def forget(self, message_id: str) -> Sink | None:
        """Stop waiting for a call, and give its sink nothing from here.

        :returns: the sink; None: nothing waits any more, so the sink has, or gets, its reply from here
        """
        with self._changed:
            entry = self._entries.get(message_id)
            if entry is None:
                return None
            entry.is_over = True
            sink, entry.sink = entry.sink, None
            self._remove(message_id)
            return sink

    def _remove(self, message_id: str) -> None:
        """Take an entry out of the table.  The caller holds the lock."""
        entry = self._entries.pop(message_id)
        self._own_calls -= entry.is_own
        self._foreign_calls -= entry.is_foreign
        self._casts -= entry.is_confirmation
        if entry.neighbor and self._budgets is not None:
            self._budgets.give_back(entry.neighbor, entry.size_bytes)
        if len(self._deadlines) > 2 * len(self._entries) + 64:
            # The heap keeps the deadlines of completed calls; it must not stay large after a burst of calls.
            self._deadlines = [item for item in self._deadlines if self._entries.get(item[2]) is item[3]]
            heapq.heapify(self._deadlines)
        if not self._local_calls:
            self._is_idle.notify_all()

    def _count_end(self, entry: WaitingCall, verdict: str) -> None:
        """Count the end of a call, and of a broadcast whether all known cells have answered."""
        if not entry.is_own and not entry.is_confirmation:
            self._counters.call_seconds.observe(self._clock() - entry.began_at)
        if entry.growing is not None:
            self._counters.count("broadcast", verdict)

    def _expire(self, message_id: str, entry: WaitingCall, *, is_stopping: bool = False) -> None:
        with self._changed:
            if self._entries.get(message_id) is not entry:
                return
            self._remove(message_id)
            entry.is_over = True
            entry.streaming += 1
            self._count_end(entry, "incomplete")
        for _ in entry.missing:
            self._counters.count("given_up" if is_stopping else "timed_out")
        entry.replace_missing(is_stopping=is_stopping)
        self._end_streaming(entry)

    def _end_streaming(self, entry: WaitingCall) -> None:
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
                now = self.looked_at = self._clock()
                self._next_look = self._deadlines[0][0] if self._deadlines else NEVER
                if self._next_look > now:
                    self._changed.wait(min(self._next_look - now, LOOK_SECONDS))
                    continue
                _, _, message_id, entry = heapq.heappop(self._deadlines)
                if entry.ends_at > now:
                    if self._entries.get(message_id) is entry:
                        self._watch(message_id, entry)
                    continue
            # The id may have come again since, with a deadline of its own.
            self._expire(message_id, entry)


@dataclass(frozen=True)
class ToPending:
    """Sink of one part of a call that waits for several answers, or with a deadline."""

    pending: PendingCalls
    message_id: str
    #: the name of a neighbor, or HERE
    part: str

    def take(self, reply: Reply) -> None:
        self.pending.add(self.message_id, self.part, reply)
