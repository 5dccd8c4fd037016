"""Heartbeats: tell the callers of long calls, periodically, that their calls still run."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

LOG = logging.getLogger(__name__)

#: Heartbeats within the silence that a caller tolerates, so that a lost heartbeat does no harm.
HEARTBEATS_PER_TIMEOUT = 3
MIN_INTERVAL_SECONDS = 0.2


@dataclass
class _Call:
    still_working: Callable[[], object]
    interval_seconds: float
    next_at: float


class Heartbeats:
    """One thread for all monitored calls; without such calls the thread ends.  Thread-safe."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, min_interval_seconds: float = MIN_INTERVAL_SECONDS
    ) -> None:
        """:param min_interval_seconds: shortest time between two heartbeats of a call"""
        self._clock = clock
        self._min_interval_seconds = min_interval_seconds
        self._changed = threading.Condition()
        self._calls: dict[int, _Call] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def start(self, still_working: Callable[[], object], monitor_seconds: float) -> Callable[[], None]:
        """Call ``still_working`` periodically until the returned function is called.

        :param still_working: sends one heartbeat; must not block
        :param monitor_seconds: the silence after which the caller gives up
        """
        interval = max(monitor_seconds / HEARTBEATS_PER_TIMEOUT, self._min_interval_seconds)
        number = next(self._numbers)
        with self._changed:
            self._calls[number] = _Call(still_working, interval, self._clock() + interval)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cells-heartbeats", daemon=True)
                self._thread.start()
            self._changed.notify()

        def stop() -> None:
            with self._changed:
                self._calls.pop(number, None)
                self._changed.notify()

        return stop

    @property
    def is_idle(self) -> bool:
        """Whether there is no monitored call and no thread."""
        with self._changed:
            return not self._calls and self._thread is None

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
                _send_heartbeat(call)


def _send_heartbeat(call: _Call) -> None:
    try:
        call.still_working()
    except BaseException:  # a bug in one call must not silence the others
        LOG.exception("A heartbeat of a monitored call failed; its caller may time out.")
