"""Log lines about refused peers, rate limited so that repeated connections cannot fill a disk."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

LOG = logging.getLogger(__name__)

#: minimum time between two lines about the same key
INTERVAL_SECONDS = 60.0
#: maximum number of lines within an interval, and of keys that are remembered
MAX_LINES = 20
#: number of characters of a key in the log: enough to recognize it, too few to register it without verification
SHOWN_CHARACTERS = 8


class Refusals:
    """Rate-limited log of refused peers.  Not thread-safe: the authenticator has one thread.

    :param clock: monotonic time in seconds
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[str, float] = {}
        self._suppressed = 0

    def refused(self, key: str, address: str) -> None:
        """Log that the peer at ``address`` was refused, unless a recent line says so."""
        if self._should_log(key):
            LOG.warning(
                "A peer at %s was refused: its key %s... is not registered here. To accept the peer, compare its key "
                "with the output of 'cells key show' in that cell, and run \"cells key add NAME 'KEY'\" here.%s",
                address,
                key[:SHOWN_CHARACTERS],
                self._suppressed_note(),
            )

    def failed(self, reason: str) -> None:
        """Log that all peers are refused because the keys cannot be read."""
        if self._should_log(reason):
            LOG.error("No peer can connect: %s%s", reason, self._suppressed_note())

    def _should_log(self, subject: str) -> bool:
        now = self._clock()
        self._logged = {known: at for known, at in self._logged.items() if now - at < INTERVAL_SECONDS}
        if subject in self._logged:
            return False
        if len(self._logged) >= MAX_LINES:
            self._suppressed += 1
            return False
        self._logged[subject] = now
        return True

    def _suppressed_note(self) -> str:
        suppressed, self._suppressed = self._suppressed, 0
        return f" ({suppressed} more refusals were not logged.)" if suppressed else ""
