"""Log records of oslo.messaging's drivers about situations that need no attention: shortened, and limited in number.

A broker delivers messages again after a broken connection, and each copy is an error with a traceback.  A pool of
connections that is in use warns for each waiting request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from cells.transport.patches.base import Patch, texts_in

_LISTENER_LOGGER, _POOL_LOGGER = "oslo_messaging._drivers.amqpdriver", "oslo.messaging._drivers.pool"
_DUPLICATE, _POOL_LIMIT = "ignoring duplicate message", "Connection pool limit exceeded"
#: minimum time between two warnings about the pools
INTERVAL_SECONDS = 60.0


class DriverLog(Patch):
    """Log filters for duplicates, which become one line at INFO, and for full pools, which warn once a minute.

    :param clock: monotonic time in seconds
    """

    name = "driver_log"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._warned_at = float("-inf")

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqpdriver, pool  # noqa: PLC0415  # clients of other drivers do not need it

        return (
            any(text.startswith(_DUPLICATE) for text in texts_in(amqpdriver.AMQPListener.__call__))
            and any(text.startswith(_POOL_LIMIT) for text in texts_in(pool.Pool.get))
            and amqpdriver.LOG.name == _LISTENER_LOGGER
            and pool.LOG.logger.name == _POOL_LOGGER
        )

    def _install(self) -> None:
        logging.getLogger(_LISTENER_LOGGER).addFilter(self.shorten)
        logging.getLogger(_POOL_LOGGER).addFilter(self.limit)

    def shorten(self, record: logging.LogRecord) -> bool:
        """Called by logging for each record of the listeners; lets those pass that the level INFO shows."""
        if not str(record.msg).startswith(_DUPLICATE):
            return True
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        record.msg = f"A message that the broker delivered again is ignored: {record.msg}"
        record.exc_info = record.exc_text = None
        return logging.getLogger(record.name).isEnabledFor(logging.INFO)

    def limit(self, record: logging.LogRecord) -> bool:
        """Called by logging for each record of the pools; lets one warning a minute pass."""
        if not str(record.msg).startswith(_POOL_LIMIT):
            return True
        now = self._clock()
        if now - self._warned_at < INTERVAL_SECONDS:
            return False
        self._warned_at = now
        return True


DRIVER_LOG = DriverLog()
