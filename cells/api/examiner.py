"""Examiner: the examinations of ``cells doctor`` that clients of the HTTP API ask for, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from cells.api.errors import ApiError

#: Returns the report as a JSON object; called with the time of each check in seconds, and whether the tree is asked.
Examine = Callable[[float, bool], dict[str, Any]]


class Examiner:
    """Runs one examination at a time: each logs in to all brokers of this cell and its neighbors.  Thread-safe."""

    def __init__(self, examine: Examine) -> None:
        self._examine = examine
        self._running = threading.Lock()

    def run(self, check_seconds: float, *, is_tree: bool) -> dict[str, Any]:
        """Return the report.  Blocks for a little more than twice the time of a check.

        :raises cells.api.errors.ApiError: 503, an examination is running
        """
        if not self._running.acquire(blocking=False):
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Another examination of this cell is running: ask again when it has ended.",
                headers={"Retry-After": "5"},
            )
        try:
            return self._examine(check_seconds, is_tree)
        finally:
            self._running.release()
