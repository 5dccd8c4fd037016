"""Tells the callers of calls that take long, again and again, that they still run."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger(__name__)

#: So many times within the silence that a caller puts up with: one that gets lost does no harm.
BEATS = 3
#: No caller is told more often.
SHORTEST_SECONDS = 0.2


class _Call:
    __slots__ = ("interval_seconds", "next_at", "still_working")

    def __init__(self, still_working: Callable[[], object], interval_seconds: float, now: float) -> None:
        self.still_working = still_working
        self.interval_seconds = interval_seconds
        self.next_at = now + interval_seconds


class Beats:
    """One thread for all calls; there is none while no call is monitored.  Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._calls: dict[int, _Call] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def start(self, still_working: Callable[[], object], monitor_seconds: float) -> Callable[[], None]:
        """Call ``still_working``, which must not block, from now until what is returned is called.

        :param monitor_seconds: the silence after which the caller gives up
        """
        interval = max(monitor_seconds / BEATS, SHORTEST_SECONDS)
        number = next(self._numbers)
        with self._changed:
            self._calls[number] = _Call(still_working, interval, self._clock())
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cells-beats", daemon=True)
                self._thread.start()
            self._changed.notify()

        def stop() -> None:
            with self._changed:
                self._calls.pop(number, None)
                self._changed.notify()

        return stop

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._calls:
                    self._thread = None
                    return
                now = self._clock()
                wait_seconds = min(call.next_at for call in self._calls.values()) - now
                if wait_seconds > 0:
                    self._changed.wait(min(wait_seconds, threading.TIMEOUT_MAX))
                    continue
                due = [call for call in self._calls.values() if call.next_at <= now]
                for call in due:
                    call.next_at = now + call.interval_seconds
            for call in due:
                _beat(call)


def _beat(call: _Call) -> None:
    try:
        call.still_working()
    except Exception:  # one call's bug must not silence the others
        LOG.exception("A caller could not be told that its call still runs.")
