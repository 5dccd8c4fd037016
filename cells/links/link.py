"""The link to one neighbor: its send queue, and the thread that empties the queue."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from cells import exceptions
from cells.drivers.base import Outgoing, Target
from cells.drivers.registry import Drivers
from cells.limited_log import LimitedLog
from cells.links.delivery import DeliveryReports, LinkLimits, call_back
from cells.links.send_queue import Countable, DirectReply, OnFailure, QueuedMessage, SendQueue, SendRequest
from cells.links.slots import LinkSlots
from cells.worker_threads import Runtime

LOG = logging.getLogger(__name__)

#: After a queue stayed full until a room deadline, senders do not wait for room for this long: the neighbor is slower
#: than its traffic, and a waiting sender delays the messages for other neighbors.
FULL_QUEUE_BACKOFF_SECONDS = 5.0

#: Errors about the messages of one attempt, which do not tell whether the neighbor takes other messages.
ABOUT_THE_MESSAGE = (
    exceptions.ClientGone,
    exceptions.ManagerGone,
    exceptions.MessageRefused,
    exceptions.MessageTooLarge,
)
#: Errors about one message of several that share a cast: the broker has taken none of them.
ABOUT_ONE_MESSAGE = (exceptions.MessageRefused, exceptions.MessageTooLarge)

#: The reason why a message is not queued, its kind, and the callback that reports it.
Refusal = tuple[exceptions.CellsError, str, OnFailure]


@dataclass(kw_only=True, eq=False, repr=False)
class Link:
    """The send queue and the sending thread of one neighbor.  Thread-safe."""

    cell: Target
    drivers: Drivers
    limits: LinkLimits
    reports: DeliveryReports
    slots: LinkSlots
    #: called on the sending thread when the link is closed, before its slot is free
    on_closed: Callable[[Link], object]
    runtime: Runtime
    #: an older link to the same neighbor: this link sends when it has ended
    predecessor: Link | None = None

    def __post_init__(self) -> None:
        self.is_closing = False
        self._has_ended = threading.Event()
        #: the newer link to the same neighbor, which opens when this one has ended
        self._successor: Link | None = None
        self._clock = self.runtime.clock
        self.used_at = self._clock()
        self._queue = SendQueue(self.limits.queue_size, self.limits.queue_bytes)
        self._log = LimitedLog(LOG, self._clock)
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._has_room = threading.Condition(lock)
        self._went_idle = threading.Condition(lock)
        #: threads in wait_until_idle: while there are any, no message is held
        self._idle_waiters = 0
        #: the messages of the present attempt, until they are sent or given up
        self._current: list[QueuedMessage] = []
        #: start of the present attempt, or of the wait for a slot; None while the thread waits for messages
        self._busy_since: float | None = self.used_at
        self._stall: exceptions.CellsError | None = None
        self._failed_at = 0.0
        #: until then senders do not wait for room
        self._backoff_until = 0.0
        self._failure: exceptions.CellsError | None = None

    def open(self) -> None:
        """Start the sending thread when the predecessor has ended and there is a slot.  Does not block."""
        predecessor, self.predecessor = self.predecessor, None
        # It may share our connection: it has to close it before we open it.
        if predecessor is None or not predecessor._is_followed_by(self):
            self.slots.request(lambda: self.runtime.spawn(self._run, f"cells-send-{self.cell.name}"))

    def _is_followed_by(self, successor: Link) -> bool:
        """Open ``successor`` at the end of this link; return False if it has ended."""
        with self._changed:
            self._successor = successor
            return not self._has_ended.is_set()

    def wait_until_ended(self, timeout_seconds: float | None = None) -> None:
        """Wait until a link that is closed has sent its messages."""
        self._has_ended.wait(timeout_seconds)

    def put(
        self, requests: Sequence[SendRequest], start: int, room_deadline: float, hold_seconds: float
    ) -> tuple[int, list[Refusal]]:
        """Queue ``requests[start:]``, in their order.

        :param room_deadline: how long to wait for room while the neighbor takes messages
        :param hold_seconds: how long the messages may wait for others that share their cast
        :returns: the number of requests that are queued or refused, and the refusals: the queue is full, or the broker
            hangs.  If the number is too small, the link is closing, and the remaining requests need a new link
        """
        done, refused = start, []
        with self._changed:
            while done < len(requests) and not self.is_closing:
                message, on_failure, _ = requests[done]
                error: exceptions.CellsError
                if self._stall is not None:
                    # A new error each time: raising the same one again would keep every refused message alive.
                    error = exceptions.NeighborUnreachable(self._stall.message, cell=self.cell.name)
                elif not self._wait_for_room(message.size_bytes, room_deadline):
                    room_deadline = 0.0
                    continue
                else:
                    count = self._enqueue(requests, done, hold_seconds)
                    if count:
                        done += count
                        continue
                    error = self._busy(message)
                refused.append((error, message.kind, on_failure))
                done += 1
        return done - start, refused

    def _enqueue(self, requests: Sequence[SendRequest], start: int, hold_seconds: float) -> int:
        """Caller holds the lock.  Return the number of requests that found room."""
        now, due_at = self._clock(), self._queue.due_at
        count = self._queue.put(requests, start, now, hold_seconds)
        if count:
            # Before the sending thread, which needs the lock that the caller holds, can take them.
            kinds = [request[0].kind for request in requests[start : start + count]]
            self.reports.losses.accept(self.cell.name, kinds)
            self.used_at = now
            # Messages that may wait do not wake the thread: it would compete for the processor.
            if self._queue.due_at < due_at or self._idle_waiters:
                self._changed.notify()
        return count

    def _busy(self, message: Countable | DirectReply) -> exceptions.CellsError:
        return exceptions.NeighborBusy(
            f"{self._queue.overflow(message.size_bytes)} for cell {self.cell.name} already: its broker is slower "
            "than its traffic; try again later.",
            cell=self.cell.name,
        )

    def _wait_for_room(self, size_bytes: int, until: float) -> bool:
        """Caller holds the lock.  Wait for room while the neighbor takes messages.

        If the wait was in vain, later senders do not wait for a while.

        :returns: False if the link stalled or began to close meanwhile
        """
        while self._queue.overflow(size_bytes):
            now = self._clock()
            if now >= until or now < self._backoff_until or self._failure is not None:
                break
            self._has_room.wait(until - now)
            if self.is_closing or self._stall is not None:
                return False
            if self._clock() >= until:
                self._backoff_until = until + FULL_QUEUE_BACKOFF_SECONDS
        return True

    def close(self) -> None:
        """Let the thread send the queued messages and end."""
        with self._changed:
            self.is_closing = True
            self._changed.notify()
            self._has_room.notify_all()

    def close_if_idle(self) -> bool:
        """Close the link unless it sends or a message is due; return whether it closes."""
        with self._changed:
            if self._busy_since is not None or self._queue.due_at <= self._clock():
                return False
            self.is_closing = True
            self._changed.notify()
            return True

    def wait_until_idle(self, timeout_seconds: float) -> None:
        """Send held messages at once; wait until all messages are sent or given up, and all callbacks have returned."""
        with self._went_idle:
            self._idle_waiters += 1
            self._changed.notify()
            self._went_idle.wait_for(lambda: not self._queue and self._busy_since is None, max(0.0, timeout_seconds))
            self._idle_waiters -= 1

    def backlog(self) -> tuple[int, int, float]:
        """Return the number of messages that wait or are being sent, their bytes, and the age of the oldest."""
        with self._changed:
            count, size_bytes, since = self._queue.backlog()
            for queued in self._current:
                count, size_bytes, since = (
                    count + 1,
                    size_bytes + queued.message.size_bytes,
                    min(since, queued.queued_at),
                )
            return count, size_bytes, max(0.0, self._clock() - since) if count else 0.0

    def leads_to(self, cell: Target) -> bool:
        """Return whether messages for ``cell`` take this link; other columns of its row may have changed."""
        return (self.cell.driver, self.cell.transport_url) == (cell.driver, cell.transport_url)

    def _run(self) -> None:
        while self._take_batch():
            self._send_current()
        try:
            self.drivers.get(self.cell.driver).close_link(self.cell)
        except Exception as error:  # the driver does not load, or a driver of another project raises
            LOG.debug("The link to cell %s could not be closed: %s", self.cell.name, error)
        self.on_closed(self)
        with self._changed:
            self._has_ended.set()
            successor = self._successor
        self.slots.release()
        if successor is not None:
            successor.open()

    def _take_batch(self) -> bool:
        """Wait for the next messages; return False if there are none and the link has to end."""
        with self._changed:
            # This also ends a stall that was the wait for a slot, or for the predecessor.
            self._busy_since = self._stall = None
            while True:
                if not self._queue:
                    self._went_idle.notify_all()
                    self.is_closing = self.is_closing or self.slots.is_crowded
                now, due_at = self._clock(), self._queue.due_at
                is_flushing = self.is_closing or self._idle_waiters > 0
                if due_at <= now or (self._queue and is_flushing):
                    self._current, self._busy_since = self._queue.take(max(now, due_at)), now
                    self._has_room.notify_all()
                    return True
                if not self._queue and (self.is_closing or now - self.used_at >= self.limits.idle_seconds):
                    self.is_closing = True
                    return False
                self._changed.wait(due_at - now if self._queue else self.limits.idle_seconds)

    def _send_current(self) -> None:
        now = self._clock()
        current = self._current
        failed_at = self._failed_at
        refusals = [
            self._refusal(queued, now) if queued.due_at <= failed_at or queued.message.is_late(now) else None
            for queued in current
        ]
        fresh = [queued.message for queued, refusal in zip(current, refusals, strict=True) if refusal is None]
        errors = iter(self._send_parts(fresh))
        with self._changed:
            is_given_up, self._current = not self._current, []
        if is_given_up:
            return
        sent = []
        for queued, refusal in zip(current, refusals, strict=True):
            problem = refusal or next(errors)
            if problem is not None:
                self.reports.give_up(self.cell.name, problem, queued)
                continue
            sent.append(queued.message.kind)
            if queued.on_sent is not None:
                call_back(queued.on_sent)
        if sent:
            self.reports.observe_wait(self._clock() - current[0].queued_at)
        self.reports.losses.deliver(self.cell.name, sent)

    def _refusal(self, queued: QueuedMessage, now: float) -> exceptions.CellsError | None:
        """Return the reason why a message is not sent at all."""
        if queued.due_at <= self._failed_at:
            # A message that was due during a failed attempt fails with it: one attempt at a dead broker is
            # enough, and not one per message.
            failure = self._failure
            if not getattr(failure, "may_arrive", None):
                return failure
            # Unlike those of the attempt, it cannot have arrived.
            text = cast("exceptions.CellsError", failure).message.removesuffix(exceptions.MAY_HAVE_ARRIVED).rstrip()
            return exceptions.NeighborUnreachable(text, cell=self.cell.name)
        return exceptions.CellTimeout(
            f"A message waited {now - queued.queued_at:.3g} seconds for the broker of cell {self.cell.name}, until "
            "its deadline had passed: it was not sent.",
            cell=self.cell.name,
        )

    def check_stall(self, limit_seconds: float) -> None:
        """Give up all messages if the present attempt exceeds the limit, so that their callers get an error in time."""
        with self._changed:
            if self._busy_since is None or self._clock() - self._busy_since < limit_seconds:
                return
            given_up = self._queue.clear()
            self._has_room.notify_all()
            current, self._current = self._current, []
            is_new = self._stall is None
            text = (
                f"The broker of cell {self.cell.name} has not taken a message for {limit_seconds:g} seconds "
                "([cells] send_timeout): check that it runs and is not overloaded."
            )
            error = self._stall = exceptions.NeighborUnreachable(text, cell=self.cell.name)
        if is_new:
            self.reports.delivered(self.cell, error, was_failing=self._failure is not None)
        self._give_up_all(text, current, given_up)

    def abandon(self) -> None:
        """Give up all messages: the manager has waited for the link to send them, and ends now."""
        with self._changed:
            waiting = self._queue.clear()
            current, self._current = self._current, []
        text = f"The manager stopped before the broker of cell {self.cell.name} had taken a message."
        self._give_up_all(text, current, waiting)

    def _give_up_all(self, text: str, current: Sequence[QueuedMessage], waiting: Sequence[QueuedMessage]) -> None:
        """Give up the messages of the present attempt, which may arrive nevertheless, and those that wait."""
        name = self.cell.name
        for queued in current:
            hung = f"{text} {exceptions.MAY_HAVE_ARRIVED}"
            self.reports.give_up(name, exceptions.NeighborUnreachable(hung, cell=name, may_arrive=True), queued)
        for queued in waiting:
            self.reports.give_up(name, exceptions.NeighborUnreachable(text, cell=name), queued)

    def _send_parts(self, messages: Sequence[Countable | DirectReply]) -> list[exceptions.CellsError | None]:
        """Send messages as :meth:`_send`; return the error of each.

        If the broker refuses one of several messages, or their size together, the others are sent without it.
        """
        if not messages:
            return []
        error = self._send(messages)
        if len(messages) > 1 and isinstance(error, ABOUT_ONE_MESSAGE):
            half = len(messages) // 2
            return [*self._send_parts(messages[:half]), *self._send_parts(messages[half:])]
        return [error] * len(messages)

    def _send(self, messages: Sequence[Countable | DirectReply]) -> exceptions.CellsError | None:
        """Send messages that share a cast, one message that travels alone, or one direct reply."""
        was_failing = self._failure is not None
        error: exceptions.CellsError | None = None
        try:
            driver, first = self.drivers.get(self.cell.driver), messages[0]
            if isinstance(first, DirectReply):
                driver.reply_to_client(self.cell, first.reply_to, first.value)
            elif first.may_share_a_cast:
                driver.send_messages_to_cell(self.cell, cast("Sequence[Outgoing]", messages))
            else:
                driver.send_message_to_cell(self.cell, first)
        except exceptions.CellsError as raised:
            error = raised
        except Exception as raised:  # a driver of another project must not end this thread
            error = exceptions.NeighborUnreachable(
                f"The driver {self.cell.driver} failed to send to cell {self.cell.name}: "
                f"{type(raised).__name__}: {raised}.",
                cell=self.cell.name,
            )
        if error is not None:
            # The link keeps the error, and the frames of its traceback would keep the message.
            error.__traceback__ = error.__cause__ = error.__context__ = None
        if isinstance(error, ABOUT_THE_MESSAGE):
            self._log.log_about(logging.INFO, type(error).__name__, "%s", error.message)
            return error
        if error is None:
            self.reports.observe_cast(len(messages))
        if error is None and messages[0].fanout and was_failing:
            # A fan-out succeeds without a receiver: it does not show that the cell is back.
            self.reports.sent(len(messages))
            return None
        self._failed_at = 0.0 if error is None else self._clock()
        self._failure = error
        self.reports.delivered(self.cell, error, was_failing=was_failing, count=len(messages))
        return error
