"""The proof, on demand, that the consumers of this manager take messages: ``cells doctor`` asks for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent import futures

from cells import exceptions
from cells.futures import completed, gather
from cells.health.readiness import Check, problem_of
from cells.worker_threads import Runtime

LOG = logging.getLogger(__name__)


class ConsumerProof:
    """Runs the checks side by side, each on a thread of its own.  Thread-safe."""

    def __init__(self, checks: Mapping[str, Check], runtime: Runtime) -> None:
        """:param checks: by the name of their part"""
        self._checks = dict(checks)
        self._runtime = runtime
        self._lock = threading.Lock()
        #: the proof that is under way, which all who ask meanwhile share
        self._running: futures.Future[dict[str, str]] = completed({})

    def prove(self, seconds: float) -> futures.Future[dict[str, str]]:
        """Return a future of the problem of each part, an empty text if its consumers have taken a message.

        :param seconds: bound of each check
        :raises cells.exceptions.ManagerBusy: the system has no thread for the checks
        """
        with self._lock:
            if self._running.done():
                self._running = self._start(seconds)
            return self._running

    def _start(self, seconds: float) -> futures.Future[dict[str, str]]:
        results: dict[str, futures.Future[str]] = {name: futures.Future() for name in self._checks}
        for name, check in self._checks.items():
            try:
                self._runtime.spawn(lambda name=name, check=check: _run(check, seconds, results[name]), "cells-proof")  # type: ignore[misc]
            except RuntimeError as error:
                raise exceptions.ManagerBusy(f"The system has no thread for the check of {name}: {error}") from error
        return gather(results, dict)


def _run(check: Check, seconds: float, result: futures.Future[str]) -> None:
    result.set_result(problem_of(check, seconds))
