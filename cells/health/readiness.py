"""Readiness of a manager: whether messages of its services and neighbors get through it.

Each check runs on a thread of its own, every few seconds while the manager serves, and its last result is kept.  So a
request for the result never waits, however many there are, and a check that hangs is a result, too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from cells import exceptions
from cells.worker_threads import Runtime

LOG = logging.getLogger(__name__)

#: Pause between two checks.
INTERVAL_SECONDS = 3.0
#: Bound that a check is given.
CHECK_SECONDS = 4.0
#: A check that has not ended after so long hangs; a transaction of the database takes 5 seconds at most.
LIMIT_SECONDS = 8.0

#: Raises an error if messages do not get through.  Is told for how many seconds it may wait.
Check = Callable[[float], object]


class Phase(Enum):
    """Phases in the life of a manager."""

    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"


@dataclass
class _Result:
    #: when the check began that still runs
    running_since: float | None = None
    #: None: no check has ended yet
    problem: str | None = None


class Readiness:
    """The checks of one manager, and their last results.  Thread-safe."""

    def __init__(self, checks: Mapping[str, Check], runtime: Runtime) -> None:
        """:param checks: by the name of their part, as the page shows it"""
        self._checks = dict(checks)
        self._runtime = runtime
        self._clock = runtime.clock
        self._lock = threading.Lock()
        self._results = {name: _Result() for name in checks}
        self._phase = Phase.STARTING
        self._is_stopped = threading.Event()

    @property
    def phase(self) -> Phase:
        """The present phase."""
        return self._phase

    def serve(self, *, is_watched: bool) -> None:
        """Note that the manager serves.

        :param is_watched: begin to check; else the manager counts as ready, because nothing asks
        """
        self._phase = Phase.SERVING
        if not is_watched:
            self._results.clear()
            return
        for name, check in self._checks.items():
            try:
                self._runtime.spawn(lambda name=name, check=check: self._run(name, check), f"cells-ready-{name}")  # type: ignore[misc]
            except RuntimeError as error:
                self._results[name].problem = f"the system has no thread for the check: {error}"

    def stop(self) -> None:
        """Note that the manager stops, and end the checks without waiting for them.  May be called twice."""
        self._phase = Phase.STOPPING
        self._is_stopped.set()

    @property
    def is_ready(self) -> bool:
        """Whether messages get through."""
        return not self.problems()

    def problems(self) -> dict[str, str]:
        """Return why messages do not get through, by part; empty: they do."""
        if self._phase is not Phase.SERVING:
            return {"manager": self._phase.value}
        now, found = self._clock(), {}
        with self._lock:
            for name, result in self._results.items():
                running = 0.0 if result.running_since is None else now - result.running_since
                if running > LIMIT_SECONDS:
                    found[name] = f"no answer for {running:.0f} s"
                elif result.problem is None:
                    found[name] = "not checked yet"
                elif result.problem:
                    found[name] = result.problem
        return found

    def _run(self, name: str, check: Check) -> None:
        result, before = self._results[name], ""
        while not self._is_stopped.is_set():
            with self._lock:
                result.running_since = self._clock()
            problem = problem_of(check, CHECK_SECONDS)
            with self._lock:
                result.running_since, result.problem = None, problem
            if problem != before and not self._is_stopped.is_set():
                if problem:
                    LOG.warning("The manager is not ready: %s: %s", name, problem)
                else:
                    LOG.info("The check of the readiness succeeds again: %s.", name)
            before = problem
            self._is_stopped.wait(INTERVAL_SECONDS)


def problem_of(check: Check, seconds: float) -> str:
    """Run a check; return why messages do not get through, without passwords; empty: they do."""
    try:
        check(seconds)
    except exceptions.CellsError as error:
        return error.message
    except Exception as error:  # the text of a library's error may have a password
        LOG.debug("A check of the readiness failed.", exc_info=True)
        return type(error).__name__
    return ""
