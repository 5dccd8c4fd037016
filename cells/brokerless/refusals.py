"""Log lines about refused peers, few enough that nobody can fill a disk by probe."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

LOG = logging.getLogger(__name__)

#: no second line about the same key within that time
INTERVAL_SECONDS = 60.0
#: nor more lines than that about all keys together; so many keys are remembered
MAX_LINES = 20
#: what is shown of a key: enough to tell it from another, and too little to be registered unread
SHOWN_CHARACTERS = 8


class Refusals:
    """Says who was refused.  Not safe for several threads: the authenticator has one.

    :param clock: seconds that never go back
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[str, float] = {}
        self._suppressed = 0

    def refused(self, key: str, address: str) -> None:
        """Log that the peer at ``address`` was refused, unless that was said a short while ago."""
        if self._should_log(key):
            LOG.warning(
                "A peer at %s was refused: its key %s... is not known here. If it should be, compare it with what "
                "'cells key show' prints in that cell, and run \"cells key add NAME 'KEY'\" here.%s",
                address,
                key[:SHOWN_CHARACTERS],
                self._suppressed_note(),
            )

    def failed(self, reason: str) -> None:
        """Log that peers are refused because nobody can tell who they are."""
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
        unsaid, self._suppressed = self._suppressed, 0
        return f" (And {unsaid} more refusals, not logged.)" if unsaid else ""
