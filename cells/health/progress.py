"""Progress of the threads of a manager: each notes when it last went round its loop.

Only threads that wait for no broker, no database and no endpoint are watched.  If one of them stands still, a lock is
held forever or the process is starved, and a restart helps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from cells.worker_threads import Clock

#: A thread that goes round about once a second, and has not for so long, stands still.  A busy machine is no fault.
LIMIT_SECONDS = 30.0


class Progress:
    """The watched threads of one manager.  Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._beats: dict[str, float] = {}
        self._looks: dict[str, Callable[[], float | None]] = {}
        self._groups: list[Callable[[], Mapping[str, float]]] = []

    def watch(self, name: str, looked_at: Callable[[], float | None]) -> None:
        """Watch a thread that keeps its time itself.

        :param looked_at: returns when it last went round, in seconds of the clock; None: it does not run
        """
        with self._lock:
            self._looks[name] = looked_at

    def watch_all(self, looked_at: Callable[[], Mapping[str, float]]) -> None:
        """Watch threads that start and end, and keep their times themselves.

        :param looked_at: returns when each of them last went round, by its name, in seconds of the clock
        """
        with self._lock:
            self._groups.append(looked_at)

    def beat(self, name: str) -> None:
        """Note that the thread ``name`` goes round now; it is watched from now on."""
        with self._lock:
            self._beats[name] = self._clock()

    def beating(self, name: str, task: Callable[[], None]) -> Callable[[], None]:
        """Return ``task`` with a note of each run."""

        def run() -> None:
            self.beat(name)
            task()

        return run

    def forget(self) -> None:
        """Watch no thread any more: the manager stops them."""
        with self._lock:
            self._beats.clear()
            self._looks.clear()
            self._groups.clear()

    def ages(self) -> dict[str, float]:
        """Return for each watched thread the seconds since it last went round."""
        now = self._clock()
        with self._lock:
            times = {**self._beats, **{name: looked_at() for name, looked_at in self._looks.items()}}
            for group in self._groups:
                times.update(group())
        return {name: max(0.0, now - at) for name, at in sorted(times.items()) if at is not None}

    def stalled(self) -> dict[str, float]:
        """Return those that stand still."""
        return {name: age for name, age in self.ages().items() if age > LIMIT_SECONDS}
