"""Faults of one direction of a link between two cells.

The driver ``memory`` passes each message through a :class:`FaultyWire`; :class:`cells.testing.Link` sets its faults.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable

from cells import exceptions
from cells.drivers.base import Target


class FaultyWire:
    """Implementation of :class:`cells.drivers.memory.Wire` that loses, delays, duplicates or refuses messages.

    Faults add up: a message that is not dropped may be duplicated and delayed.  Thread-safe.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._drops = 0.0
        self._duplicates = 0.0
        self._delay_seconds = 0.0
        self._is_cut = False
        #: (due time, function that delivers the message), in the order of arrival
        self._held: deque[tuple[float, Callable[[], None]]] = deque()
        #: runs while messages are held
        self._thread: threading.Thread | None = None

    def carry(self, cell: Target, deliver: Callable[[], None]) -> None:
        with self._changed:
            if self._is_cut:
                raise exceptions.NeighborUnreachable(
                    f"The link to cell {cell.name} is cut, as the test wants it.", cell=cell.name
                )
            if self._drops:
                self._drops -= 1
                return
            times = 1
            if self._duplicates:
                self._duplicates -= 1
                times = 2
            for _ in range(times):
                # Held messages go first, so that the order stays.
                if self._delay_seconds or self._held:
                    self._hold(deliver)
                else:
                    deliver()

    def drop(self, count: int | None) -> None:
        """:param count: how many messages; None: all from now on"""
        with self._changed:
            self._drops = _number(count)

    def duplicate(self, count: int | None) -> None:
        """:param count: how many messages; None: all from now on"""
        with self._changed:
            self._duplicates = _number(count)

    def delay(self, seconds: float) -> None:
        """Delay messages from now on; messages that are held already keep their due time."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"The delay must be a number of seconds that is not negative, not {seconds!r}.")
        with self._changed:
            self._delay_seconds = seconds

    def cut(self) -> None:
        """Refuse messages from now on, and lose the held messages."""
        with self._changed:
            self._is_cut = True
            self._forget()

    def restore(self) -> None:
        """End all faults, and deliver the held messages at once, in their order."""
        with self._changed:
            self._end_faults()
            self._held = deque((0.0, deliver) for _, deliver in self._held)
            self._changed.notify()

    def close(self) -> None:
        """End all faults, lose the held messages, and wait for the thread.  May be called twice."""
        with self._changed:
            self._end_faults()
            self._forget()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _end_faults(self) -> None:
        self._drops = self._duplicates = self._delay_seconds = 0.0
        self._is_cut = False

    def _forget(self) -> None:
        self._held.clear()
        self._changed.notify()

    def _hold(self, deliver: Callable[[], None]) -> None:
        due_at = time.monotonic() + self._delay_seconds
        if self._held:
            due_at = max(due_at, self._held[-1][0])
        self._held.append((due_at, deliver))
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver_held, name="cells-testing-delay", daemon=True)
            self._thread.start()

    def _deliver_held(self) -> None:
        with self._changed:
            while self._held:
                due_at, deliver = self._held[0]
                wait_seconds = due_at - time.monotonic()
                if wait_seconds > 0:
                    self._changed.wait(wait_seconds)
                    continue
                self._held.popleft()
                # If the receiver has stopped meanwhile, the message is lost without an error for the sender.
                with contextlib.suppress(exceptions.CellsError):
                    deliver()
            self._thread = None


def _number(count: int | None) -> float:
    if count is None:
        return math.inf
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"The count must be a whole number over 0, or None for all, not {count!r}.")
    return count
