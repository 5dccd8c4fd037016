"""oslo.messaging's log record of a message with an unreadable envelope: shortened to one line, and counted.

Such a message never reaches this project, so the log record is the only sign of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from cells.transport.patches.base import Patch, texts_in

_DRIVER_LOGGER = "oslo.messaging._drivers.impl_rabbit"
_REFUSED = "Failed to process message"


class EnvelopeLog(Patch):
    """A log filter that removes the traceback of an unreadable envelope and counts the message."""

    name = "envelope_log"

    def __init__(self) -> None:
        super().__init__()
        #: called for each unreadable envelope
        self.on_refused: Callable[[], object] = lambda: None

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import impl_rabbit  # noqa: PLC0415  # clients of other drivers do not need it

        is_logged = any(text.startswith(_REFUSED) for text in texts_in(impl_rabbit.Consumer._callback))
        return is_logged and impl_rabbit.LOG.logger.name == _DRIVER_LOGGER

    def _install(self) -> None:
        logging.getLogger(_DRIVER_LOGGER).addFilter(self.shorten)

    def shorten(self, record: logging.LogRecord) -> bool:
        """Called by logging for each record of the driver; lets all records pass."""
        if record.exc_info and str(record.msg).startswith(_REFUSED):
            error = record.exc_info[1]
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
            record.msg = "A message on this cell's broker has an unreadable envelope and is dropped: %s"
            record.args = (f"{type(error).__name__}: {error!s:.200}".replace("\n", " "),)
            record.exc_info = record.exc_text = None
            self.on_refused()
        return True


ENVELOPE_LOG = EnvelopeLog()
