"""MalformedMessages: count dropped messages, and limit the log lines so that a faulty peer cannot fill a disk."""

from __future__ import annotations

import logging
import threading
import time

LOG = logging.getLogger(__name__)

LOG_SECONDS = 10.0


class MalformedMessages:
    """Counter of the malformed messages that one reader has dropped.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._logged_at = -LOG_SECONDS

    def count(self, error: Exception) -> None:
        """Count one message; ``error`` says why it is malformed."""
        now = time.monotonic()
        with self._lock:
            self._count += 1
            count, is_due = self._count, now - self._logged_at >= LOG_SECONDS
            if is_due:
                self._logged_at = now
        if is_due:
            LOG.warning("Malformed messages are dropped, %d so far; the latest: %s", count, error)

    def __len__(self) -> int:
        return self._count
