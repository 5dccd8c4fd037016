"""Log records of oslo.messaging's drivers about situations that need no attention: shortened, and limited in number.

A broker delivers messages again after a broken connection, and each copy is an error with a traceback.  A pool of
connections that is in use warns for each waiting request.  A connection that fails is an error without the name of a
cell, beside the line of the manager that gets the exception.  While the own broker is away, each connection of a
manager logs an error every second or two.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from cells.transport.patches.base import Patch, texts_in

_LISTENER_LOGGER, _POOL_LOGGER = "oslo_messaging._drivers.amqpdriver", "oslo.messaging._drivers.pool"
_DUPLICATE, _POOL_LIMIT = "ignoring duplicate message", "Connection pool limit exceeded"
_RABBIT_LOGGER = "oslo.messaging._drivers.impl_rabbit"
#: Errors of a request to the own broker that is not repeated: its exception, which the manager logs, has the same text.
_UNDECLARED, _UNCONNECTED, _UNLIMITED = "Failed to declare consumer", "Unable to connect to AMQP", " after inf tries: "
#: Errors of connections that are repeated until the broker is back.
_AWAY = ("[%(connection_id)s] AMQP server", "Unable to connect to AMQP server", "Connection failed: ")
_BROKER = re.compile(r"AMQP server (?:on )?(\S+:\d+)")
#: minimum time between two warnings about the pools, and between two errors about one broker
INTERVAL_SECONDS = 60.0
#: Brokers with lines of their own: those of a manager, which are few.
MAX_BROKERS = 100


class _Thread(threading.local):
    """What a thread does now."""

    is_sending_for_link = False


_THREAD = _Thread()


def for_link(method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call ``method`` of a link's connection; what the driver logs meanwhile about RabbitMQ is at DEBUG.

    The link warns itself, with the name of the cell.
    """
    before, _THREAD.is_sending_for_link = _THREAD.is_sending_for_link, True
    try:
        return method(*arguments, **options)
    finally:
        _THREAD.is_sending_for_link = before


class DriverLog(Patch):
    """Log filters for duplicates, which become one line at INFO, and for full pools, which warn once a minute.

    A broker that is away is one error a minute.  Errors of connections that this project reports itself go to the level
    DEBUG.

    :param clock: monotonic time in seconds
    """

    name = "driver_log"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._warned_at = float("-inf")
        self._lock = threading.Lock()
        #: broker -> time of the last error about it
        self._away: dict[str, float] = {}

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqpdriver, impl_rabbit, pool  # noqa: PLC0415  # not for other drivers

        return (
            any(text.startswith(_DUPLICATE) for text in texts_in(amqpdriver.AMQPListener.__call__))
            and any(text.startswith(_POOL_LIMIT) for text in texts_in(pool.Pool.get))
            and any(text.startswith(_AWAY[1]) for text in texts_in(impl_rabbit.Connection.ensure))
            and amqpdriver.LOG.name == _LISTENER_LOGGER
            and pool.LOG.logger.name == _POOL_LOGGER
            and impl_rabbit.LOG.logger.name == _RABBIT_LOGGER
        )

    def _install(self) -> None:
        logging.getLogger(_LISTENER_LOGGER).addFilter(self.shorten)
        logging.getLogger(_POOL_LOGGER).addFilter(self.limit)
        logging.getLogger(_RABBIT_LOGGER).addFilter(self.lower)

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

    def lower(self, record: logging.LogRecord) -> bool:
        """Called by logging for each record about RabbitMQ; lets those pass that the manager does not report."""
        text = str(record.msg)
        is_reported = text.startswith(_UNDECLARED) or (text.startswith(_UNCONNECTED) and _UNLIMITED in text)
        if not _THREAD.is_sending_for_link and not is_reported and not self._is_repeated(record):
            return True
        record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)

    def _is_repeated(self, record: logging.LogRecord) -> bool:
        """Return whether the log has a line about the same broker, from any connection, that is new enough."""
        if not str(record.msg).startswith(_AWAY):
            return False
        found = _BROKER.search(record.getMessage())
        now, broker = self._clock(), found[1] if found else ""
        with self._lock:
            if now - self._away.get(broker, float("-inf")) < INTERVAL_SECONDS:
                return True
            if broker in self._away or len(self._away) < MAX_BROKERS:
                self._away[broker] = now
        return False


DRIVER_LOG = DriverLog()
