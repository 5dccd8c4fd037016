"""The sender of one neighbor: its queue, and the thread that empties it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cells import exceptions
from cells.drivers.base import Outgoing, Target
from cells.links.send_queue import OnFailure, Parcel, Waiting, WaitingMessages

if TYPE_CHECKING:
    from cells.links.links import Outboxes

LOG = logging.getLogger(__name__)

#: How long a neighbor is not waited for after it had no room in time: it is slower than what comes for it, and
#: who waits for it keeps others waiting.
IMPATIENCE_SECONDS = 5.0

#: Why a message is not queued, and who is to be told.
Refusal = tuple[exceptions.CellsError, OnFailure]


class Sender:
    """The queue and the sending thread of one neighbor."""

    def __init__(self, outboxes: Outboxes, cell: Target, predecessor: threading.Thread | None) -> None:
        self.cell = cell
        self._predecessor = predecessor
        self.is_closing = False
        self.used_at = time.monotonic()
        self._outboxes = outboxes
        self._waiting = WaitingMessages(outboxes.limits.queue_size, outboxes.limits.queue_bytes)
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._has_room = threading.Condition(lock)
        self._went_idle = threading.Condition(lock)
        #: what is being sent, until it is sent or given up
        self._current: list[Waiting] = []
        #: since when the thread is at its present work, None while it has none
        self._busy_since: float | None = self.used_at
        self._stall: exceptions.CellsError | None = None
        self._failed_at = 0.0
        #: until when nobody waits for room
        self._impatient_until = 0.0
        self._failure: exceptions.CellsError | None = None
        self.thread = threading.Thread(target=self._run, name=f"cells-send-{cell.name}", daemon=True)
        self.thread.start()

    def put(self, parcels: Sequence[Parcel], start: int, patient_until: float) -> tuple[int, list[Refusal]]:
        """Queue ``parcels[start:]``, in their order.

        :param patient_until: how long to wait for room while the neighbor takes what is sent
        :returns: how many of them are done with; if that is not all, the outbox is closing and another one has to be
            made for the others.  And those that are refused: the queue is full, or the broker hangs
        """
        done, refused = start, []
        with self._changed:
            while done < len(parcels) and not self.is_closing:
                message, on_failure, _ = parcels[done]
                error: exceptions.CellsError
                if self._stall is not None:
                    # A new one each time: one that is raised again and again keeps every message that it refused.
                    error = exceptions.NeighborUnreachable(self._stall.message, cell=self.cell.name)
                elif not self._wait_for_room(message.size_bytes, patient_until):
                    patient_until = 0.0
                    continue
                else:
                    now = time.monotonic()
                    count = self._waiting.put(parcels, done, now)
                    if count:
                        self.used_at = now
                        done += count
                        self._changed.notify()
                        continue
                    error = self._busy(message)
                refused.append((error, on_failure))
                done += 1
        return done - start, refused

    def _busy(self, message: Outgoing) -> exceptions.CellsError:
        return exceptions.NeighborBusy(
            f"{self._waiting.overflow(message.size_bytes)} for cell {self.cell.name} already: its broker is slower "
            "than what is sent to it; try again later.",
            cell=self.cell.name,
        )

    def _wait_for_room(self, size_bytes: int, until: float) -> bool:
        """Called with the lock; wait while the neighbor takes what is sent.

        A neighbor for which that did not help is not waited for again for a while.

        :returns: whether all is as it was before, but for the room
        """
        while self._waiting.overflow(size_bytes):
            now = time.monotonic()
            if now >= until or now < self._impatient_until or self._failure is not None:
                break
            self._has_room.wait(until - now)
            if self.is_closing or self._stall is not None:
                return False
            if time.monotonic() >= until:
                self._impatient_until = until + IMPATIENCE_SECONDS
        return True

    def close(self) -> None:
        """Let the thread send what waits and end."""
        with self._changed:
            self.is_closing = True
            self._changed.notify()
            self._has_room.notify_all()

    def close_if_idle(self) -> bool:
        with self._changed:
            if self._waiting or self._busy_since is not None:
                return False
            self.is_closing = True
            self._changed.notify()
            return True

    def wait_until_idle(self, until: float) -> None:
        """Wait until all that has been put here is sent or given up, and whoever wanted to know knows it."""
        with self._went_idle:
            self._went_idle.wait_for(
                lambda: not self._waiting and self._busy_since is None, max(0.0, until - time.monotonic())
            )

    def leads_to(self, cell: Target) -> bool:
        """Whether messages for ``cell`` go this way; other columns of its row may have changed."""
        return (self.cell.driver, self.cell.transport_url) == (cell.driver, cell.transport_url)

    def _run(self) -> None:
        if self._predecessor is not None:
            # It may share our connection: what it closes has to be closed before we open it.
            self._predecessor.join()
            self._predecessor = None
        self._outboxes.enter()
        while True:
            with self._changed:
                # Waiting for a predecessor or a place may have been the stall: it is over.
                self._busy_since = self._stall = None
                if not self._waiting:
                    self._went_idle.notify_all()
                if not self._waiting and self._outboxes.is_crowded:
                    self.is_closing = True
                if not self._waiting and not self.is_closing:
                    self._changed.wait(self._outboxes.limits.idle_seconds)
                if not self._waiting:
                    if not self.is_closing and time.monotonic() - self.used_at < self._outboxes.limits.idle_seconds:
                        continue
                    self.is_closing = True
                    break
                self._current, self._busy_since = self._waiting.take(), time.monotonic()
                self._has_room.notify_all()
            self._send_current()
        self._outboxes.retire(self)

    def _send_current(self) -> None:
        now = time.monotonic()
        current = self._current
        failed_at = self._failed_at
        refusals = [
            self._refusal(waiting, now) if waiting.queued_at <= failed_at or waiting.message.is_late(now) else None
            for waiting in current
        ]
        fresh = [waiting.message for waiting, refusal in zip(current, refusals, strict=True) if refusal is None]
        error = self._send(fresh) if fresh else None
        with self._changed:
            is_given_up, self._current = not self._current, []
        if is_given_up:
            return
        for waiting, refusal in zip(current, refusals, strict=True):
            problem = refusal or error
            if problem is not None:
                self._outboxes.give_up(problem, waiting.on_failure)
            elif waiting.on_sent is not None:
                report(waiting.on_sent)

    def _refusal(self, waiting: Waiting, now: float) -> exceptions.CellsError | None:
        """Why a message is not even tried."""
        if waiting.queued_at <= self._failed_at:
            # What waited while an attempt failed shares its fate: a dead broker costs
            # everybody one attempt, not one each in turn.
            return self._failure
        return exceptions.CellTimeout(
            f"A message waited {now - waiting.queued_at:.3g} seconds for the broker of cell {self.cell.name}, until "
            "nobody waited for its answer any more: it was not sent.",
            cell=self.cell.name,
        )

    def check_stall(self, limit_seconds: float) -> None:
        """Give up what waits if the thread has hung in one attempt for longer than the limit.

        Whoever waits for an answer is told in time, whatever the thread hangs in.
        """
        with self._changed:
            if self._busy_since is None or time.monotonic() - self._busy_since < limit_seconds:
                return
            given_up = self._waiting.clear()
            self._has_room.notify_all()
            current, self._current = self._current, []
            is_new = self._stall is None
            text = (
                f"The broker of cell {self.cell.name} has not taken a message for {limit_seconds:g} seconds "
                "([cells] send_timeout): check that it runs and is not overloaded."
            )
            error = self._stall = exceptions.NeighborUnreachable(text, cell=self.cell.name)
        if is_new:
            self._outboxes.delivered(self.cell.name, error, was_failing=self._failure is not None)
        for waiting in current:
            hung = exceptions.NeighborUnreachable(text, cell=self.cell.name, may_arrive=True)
            self._outboxes.give_up(hung, waiting.on_failure)
        for waiting in given_up:
            self._outboxes.give_up(error, waiting.on_failure)

    def _send(self, messages: Sequence[Outgoing]) -> exceptions.CellsError | None:
        """Send some that share a cast, or one that travels alone."""
        was_failing = self._failure is not None
        error: exceptions.CellsError | None = None
        try:
            driver = self._outboxes.drivers.get(self.cell.driver)
            if messages[0].may_share_a_cast:
                driver.send_messages_to_cell(self.cell, messages)
            else:
                driver.send_message_to_cell(self.cell, messages[0])
        except exceptions.CellsError as raised:
            error = raised
        except Exception as raised:  # a driver of somebody else's must not end this thread
            error = exceptions.NeighborUnreachable(
                f"The driver {self.cell.driver} failed to send to cell {self.cell.name}: "
                f"{type(raised).__name__}: {raised}.",
                cell=self.cell.name,
            )
        if error is not None:
            # It is kept, and the frames of its traceback would keep the message.
            error.__traceback__ = error.__cause__ = error.__context__ = None
        if isinstance(error, (exceptions.ManagerGone, exceptions.ClientGone)):
            # It says nothing about the neighbor, neither that it is well nor that it is not.
            LOG.info("%s", error.message)
            return error
        if error is None and messages[0].fanout and was_failing:
            # Without a broker a fan-out is sent even if there is nobody: it does not show that the cell is back.
            self._outboxes.sent(len(messages))
            return None
        self._failed_at = 0.0 if error is None else time.monotonic()
        self._failure = error
        self._outboxes.delivered(self.cell.name, error, was_failing=was_failing, count=len(messages))
        return error


def report(tell: Callable[[], object]) -> None:
    """Tell whoever wants to know what became of a message."""
    try:
        tell()
    except Exception:  # a callback's bug must not end the thread that sends
        LOG.exception("What became of a message could not be reported.")
