"""Availability of the registry: one log line when an outage begins, one when it ends."""

from __future__ import annotations

import logging
import threading

from cells import exceptions

LOG = logging.getLogger(__name__)


class Availability:
    """Result of the latest access to the registry.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: why the registry is unavailable; None if it is available
        self.problem: str | None = None

    def failed(self, error: Exception) -> None:
        """Record a failed access."""
        reason = reason_of(error)
        with self._lock:
            is_new, self.problem = self.problem is None, reason
        if is_new:
            LOG.warning(
                "The registry of servers is unavailable: %s Clients use the servers known before, and registrations "
                "of this process are written when it is available again.",
                reason,
            )
        LOG.debug("Access to the registry of servers failed.", exc_info=error)

    def worked(self) -> None:
        """Record that a full round of accesses succeeded."""
        with self._lock:
            was_away, self.problem = self.problem is not None, None
        if was_away:
            LOG.info("The registry of servers is available again.")


def reason_of(error: Exception) -> str:
    """Return one line that ends with a full stop, without secrets: the text of a foreign error may quote a URL."""
    text = error.message if isinstance(error, exceptions.CellsError) else f"unexpected {type(error).__name__}"
    return text if text.endswith(".") else f"{text}."
