"""Whether the registry answers: one line in the log when it goes away, one when it is back."""

from __future__ import annotations

import logging
import threading

from cells import exceptions

LOG = logging.getLogger(__name__)


class Availability:
    """What the last write to the registry, or look at it, came to.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the registry is away; None if it is not."""
        return self._problem

    def failed(self, error: Exception) -> None:
        """Note that it did not work."""
        reason = reason_of(error)
        with self._lock:
            is_new, self._problem = self._problem is None, reason
        if is_new:
            LOG.warning(
                "The registry of servers is away: %s Clients use the servers known last, and what is registered "
                "here is written when it is back.",
                reason,
            )
        LOG.debug("The registry of servers cannot be used.", exc_info=error)

    def worked(self) -> None:
        """Note that all of it did."""
        with self._lock:
            was_away, self._problem = self._problem is not None, None
        if was_away:
            LOG.info("The registry of servers is back.")


def reason_of(error: Exception) -> str:
    """One line that ends with a full stop, without secrets: the text of a foreign error may quote a URL."""
    text = error.message if isinstance(error, exceptions.CellsError) else f"unexpected {type(error).__name__}"
    return text if text.endswith(".") else f"{text}."
