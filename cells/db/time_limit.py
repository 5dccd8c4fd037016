"""The time limit of a transaction: past it, the connection is broken from outside, whatever the server does.

A server that is frozen, or behind a half-open connection, answers nothing.  PyMySQL and SQLite have timeouts for that;
libpq has one for connecting only.  PostgreSQL itself ends a statement that waits for a lock, as long as it works.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import sqlalchemy
from oslo_db import exception as oslo_errors
from sqlalchemy import event
from sqlalchemy import exc as sqlalchemy_errors

#: The server's own timeout comes first, because its error has the reason.
SERVER_SHARE = 0.9


class _Current(threading.local):
    """The limit of the transaction of one thread."""

    limit: TransactionLimit | None = None


_current = _Current()


class TransactionLimit:
    """The time limit of one transaction, with the connection that it uses now."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._connection: Any = None
        self.is_over = False

    def watch(self, connection: Any) -> None:
        """Break this connection of the database driver at the limit; None: no connection."""
        with self._lock:
            self._connection = connection

    def expire(self) -> None:
        """Wake the thread that reads from the connection: it gets an error."""
        with self._lock:
            self.is_over = True
            # PyMySQL and SQLite have no such method, and end by themselves.
            if hasattr(self._connection, "fileno"):
                with contextlib.suppress(Exception), socket.socket(fileno=os.dup(self._connection.fileno())) as broken:
                    broken.shutdown(socket.SHUT_RDWR)

    def error(self) -> oslo_errors.DBError:
        """Return the error of a transaction that took too long."""
        return oslo_errors.DBConnectionError(TimeoutError(f"it has not answered within {self._seconds:g} seconds"))


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Limit the transaction that this thread makes in the block.

    :raises oslo_db.exception.DBConnectionError: the time was over before its end
    """
    before, limit = _current.limit, TransactionLimit(seconds)
    _current.limit = limit
    timer = threading.Timer(seconds, limit.expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (sqlalchemy_errors.SQLAlchemyError, oslo_errors.DBError) as error:
        # The error of the broken connection would blame the server.
        raise (limit.error() if limit.is_over else error) from error.__cause__
    finally:
        timer.cancel()
        limit.watch(None)
        _current.limit = before


def obey(engine: sqlalchemy.Engine, seconds: float) -> None:
    """Make the connections of ``engine`` obey the limit of the thread that uses them.

    :param seconds: limit of each statement, for the server
    """
    event.listen(engine, "do_connect", lambda *_: _check())
    event.listen(engine, "checkout", lambda connection, *_: _watch(connection))
    # A pooled connection is tested before its checkout, and there is no event for that.
    ping = engine.dialect.do_ping

    def watched_ping(dbapi_connection: Any) -> bool:
        _watch(dbapi_connection)
        return ping(dbapi_connection)

    engine.dialect.do_ping = watched_ping  # type: ignore[method-assign]
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", lambda connection, _: _limit_statements(connection, seconds))


def _check() -> None:
    """Called before each connect: a second attempt would begin after the limit."""
    if _current.limit is not None and _current.limit.is_over:
        raise _current.limit.error()


def _watch(connection: Any) -> None:
    if _current.limit is not None:
        _current.limit.watch(connection)


def _limit_statements(connection: Any, seconds: float) -> None:
    # Not with the parameter "options" of the connection, which pgbouncer refuses.
    milliseconds = int(1000 * SERVER_SHARE * seconds)
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {milliseconds}")
        cursor.execute(f"SET lock_timeout = {milliseconds}")
    connection.commit()
