"""The daemon's log: one line for what another cell got wrong, whatever library found it."""

from __future__ import annotations

import logging
from collections.abc import Callable

#: Where oslo.messaging reports a message whose envelope it cannot read.
_DRIVER_LOGGER = "oslo.messaging._drivers.impl_rabbit"
_REFUSED = "Failed to process message"


class OneLine(logging.Filter):
    """Takes the traceback from oslo.messaging's report of a message that it cannot read, and counts it.

    The message never gets as far as this project: there is no other place to hear of it.
    """

    def __init__(self, on_refused: Callable[[], None]) -> None:
        super().__init__()
        self._on_refused = on_refused

    def filter(self, record: logging.LogRecord) -> bool:
        """Called by logging for each record; lets all pass."""
        if record.exc_info and str(record.msg).startswith(_REFUSED):
            error = record.exc_info[1]
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
            record.msg = "A message on this cell's broker has no envelope that can be read, and is dropped: %s"
            record.args = (f"{type(error).__name__}: {error!s:.200}".replace("\n", " "),)
            record.exc_info = record.exc_text = None
            self._on_refused()
        return True


def install(on_refused: Callable[[], None]) -> None:
    """Filter the log of this process."""
    logging.getLogger(_DRIVER_LOGGER).addFilter(OneLine(on_refused))
