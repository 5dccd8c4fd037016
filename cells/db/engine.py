"""Access to the database: connections with short timeouts, and errors that a person can act on.

The other modules of this package share it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy
from oslo_config import cfg
from oslo_db import exception as oslo_errors
from oslo_db.sqlalchemy import enginefacade
from sqlalchemy import exc as sqlalchemy_errors

from cells import exceptions
from cells.db import time_limit

CONNECT_TIMEOUT_SECONDS = 3
STATEMENT_TIMEOUT_SECONDS = 5
#: options of [database] that go to oslo.db's enginefacade unchanged
_FACADE_OPTIONS = (
    "slave_connection",
    "synchronous_reader",
    "sqlite_synchronous",
    "mysql_sql_mode",
    "mysql_wsrep_sync_wait",
    "connection_recycle_time",
    "connection_debug",
    "connection_trace",
    "max_pool_size",
    "max_overflow",
)
#: database drivers that this package's extras install, for a URL without a driver
_DRIVERS = {"postgresql": "postgresql+psycopg2", "mysql": "mysql+pymysql", "sqlite": "sqlite+pysqlite"}
#: error codes of MariaDB and PostgreSQL for a missing table or column; oslo.db knows only some of them
_MISSING = frozenset({1146, 1054, "42P01", "42703"})
#: error codes of PostgreSQL for a statement that took too long, or waited for a lock too long
_TIMED_OUT = frozenset({"57014", "55P03"})


@dataclass(frozen=True)
class Address:
    """URL of a database, and the option that contains it, for error texts."""

    connection: str | None = field(repr=False)
    option: str = "[database] connection"

    @property
    def url(self) -> sqlalchemy.URL:
        """:raises cells.exceptions.ConfigurationError: ``connection`` is no URL"""
        return read_url(self.connection, self.option)

    def __str__(self) -> str:
        """Return the URL without password and query."""
        url = self.url
        if (self.connection or "").partition("?")[0].count("@") > 1:
            # A second @ is of a password that is not encoded: a part of it became the host.
            return f"{url.drivername}://***"
        return url.set(query={}).render_as_string(hide_password=True)


class _OnlyForDebugging(logging.Filter):
    """Filter that hides oslo.db's log of an error with traceback unless the level is DEBUG: cells reports the error."""

    def filter(self, record: logging.LogRecord) -> bool:
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


logging.getLogger("oslo_db.sqlalchemy.exc_filters").addFilter(_OnlyForDebugging())


def facade(
    conf: cfg.ConfigOpts, statement_timeout_seconds: int = STATEMENT_TIMEOUT_SECONDS, address: Address | None = None
) -> Any:
    """Return a new enginefacade for ``[database]``.  Does no I/O.

    :param address: another database than ``[database] connection``. The other options of ``[database]``
        apply to it, too, except ``slave_connection`` and ``connection_parameters``.
    :raises cells.exceptions.ConfigurationError: the URL is invalid
    """
    database = conf.database
    url = (address or Address(database.connection)).url
    options = {
        name: getattr(database, name) for name in _FACADE_OPTIONS if address is None or name != "slave_connection"
    }
    own_parameters = "" if address else database.connection_parameters
    if url.get_backend_name() != "sqlite":
        options["pool_timeout"] = database.pool_timeout or STATEMENT_TIMEOUT_SECONDS
    parameters = {
        **_bounds(url, statement_timeout_seconds),
        **dict(pair.partition("=")[::2] for pair in own_parameters.split("&") if pair),
    }
    manager = enginefacade.transaction_context()
    manager.configure(
        connection=url.render_as_string(hide_password=False),
        connection_parameters="&".join(f"{key}={value}" for key, value in parameters.items()),
        # By default oslo.db retries for minutes before it reports that the database is down. The manager
        # tries again at its next refresh, the operator after reading the error.
        max_retries=0,
        **{name: value for name, value in options.items() if value is not None},
    )
    manager.append_on_engine_create(_hide_parameters)
    manager.append_on_engine_create(lambda engine: time_limit.obey(engine, statement_timeout_seconds))
    manager.append_on_engine_create(_make_private)
    return manager


def _hide_parameters(engine: sqlalchemy.Engine) -> None:
    # Otherwise errors quote the values of a statement: transport URLs with passwords.
    engine.hide_parameters = True


def _make_private(engine: sqlalchemy.Engine) -> None:
    """Create the file of SQLite for this user only, or keep other users out: its rows contain passwords.

    SQLite gives its journal and its log the mode of the file.  The bits of the group stay as they are, because an
    operator may have given the group access.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:" or path.startswith("file:"):
        return
    with contextlib.suppress(OSError):  # the connection reports the error
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            mode = stat.S_IMODE(os.fstat(file).st_mode)
            if mode & 0o007:
                os.fchmod(file, mode & ~0o007)
        finally:
            os.close(file)


def read_url(connection: str | None, option: str = Address.option) -> sqlalchemy.URL:
    """Parse ``connection``; a URL without a driver gets the driver that this package installs.

    :param option: the option that contains ``connection``, for the error text
    :raises cells.exceptions.ConfigurationError: ``connection`` is no URL
    """
    try:
        url = sqlalchemy.make_url(connection or "")
    except (sqlalchemy_errors.ArgumentError, ValueError):
        raise exceptions.ConfigurationError(
            f"{option} is no database URL. Set it to a URL like "
            "mysql+pymysql://user:password@host/cells, postgresql://user:password@host/cells "
            "or sqlite:////path/to/file, with the special characters of a password written as %nn."
        ) from None
    # oslo.db recognizes the errors of MariaDB only under the name "mysql".
    name = re.sub(r"^mariadb\b", "mysql", url.drivername)
    return url.set(drivername=_DRIVERS.get(name, name))


def check_encodable(url: sqlalchemy.URL, option: str = Address.option) -> None:
    """Check that the driver of the database can send the user name and the password.

    :raises cells.exceptions.ConfigurationError: it cannot; the text does not show the characters
    """
    login = f"{url.username or ''}{url.password or ''}"
    if "\0" in login or "\ufffd" in login:
        raise exceptions.ConfigurationError(
            f"{option} has a user name or password with a NUL character, or with %nn that is no UTF-8: correct it."
        )
    if url.get_driver_name() == "pymysql":
        try:
            str(url.password or "").encode("latin-1")
        except UnicodeEncodeError:
            raise exceptions.ConfigurationError(
                f"{option} has a password with a character outside of Latin-1, which the driver PyMySQL cannot send: "
                "give the database user another password, or use another driver."
            ) from None


def _bounds(url: sqlalchemy.URL, statement_timeout_seconds: int) -> Mapping[str, object]:
    """Return the connection parameters that bound each wait, as far as the database driver has them."""
    backend = url.get_backend_name()
    parameters: dict[str, object] = {}
    if backend == "mysql":
        parameters = {
            "charset": "utf8mb4",
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "read_timeout": statement_timeout_seconds,
            "write_timeout": statement_timeout_seconds,
        }
    elif backend == "postgresql":
        parameters = {
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "tcp_user_timeout": statement_timeout_seconds * 1000,
            "keepalives_idle": statement_timeout_seconds,
        }
    elif backend == "sqlite":
        parameters = {"timeout": statement_timeout_seconds}
    return {key: value for key, value in parameters.items() if key not in url.query}


def lock_if_sqlite(connection: sqlalchemy.Connection) -> None:
    """On SQLite, take the write lock for the transaction that has just begun.

    Otherwise a transaction takes the lock at its first write, and fails at once if another
    transaction that has also read is about to write.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextlib.contextmanager
def translated_errors(conf: cfg.ConfigOpts, address: Address | None = None) -> Iterator[None]:
    """Turn the errors of SQLAlchemy and oslo.db into errors of cells, with one line of text and no password.

    A duplicate entry passes unchanged: only the caller knows its meaning.

    :param address: another database than ``[database] connection``
    :raises cells.exceptions.SchemaOutdated: a table or column is missing
    :raises cells.exceptions.DatabaseUnavailable: any other error of the database
    :raises cells.exceptions.ConfigurationError: the driver of the database is not installed
    """
    address = address or Address(conf.database.connection)
    try:
        yield
    except oslo_errors.DBDuplicateEntry:
        raise
    except UnicodeEncodeError:
        check_encodable(address.url, address.option)
        raise
    except oslo_errors.DBNonExistentTable as error:
        raise _schema_outdated(address) from error
    except (sqlalchemy_errors.NoSuchModuleError, ModuleNotFoundError) as error:
        raise exceptions.ConfigurationError(
            f"There is no driver for the database {address}: {error}. "
            "For PostgreSQL and MariaDB install cells-intercell[postgresql] or cells-intercell[mysql]."
        ) from error
    except (oslo_errors.DBError, sqlalchemy_errors.SQLAlchemyError) as error:
        original = _original(error)
        codes = (*original.args[:1], getattr(original, "pgcode", None))
        # SQLite has no error code for a missing column.
        if _MISSING.intersection(codes) or str(codes[0]).startswith("no such column"):
            raise _schema_outdated(address) from error
        raise exceptions.DatabaseUnavailable(
            f"The database {address} cannot be used: {_reason(original)}. {_advice(address, original)}."
        ) from error


@contextlib.contextmanager
def transaction(mode: Any, conf: cfg.ConfigOpts, address: Address | None = None) -> Iterator[Any]:
    """Open a session or connection in a transaction that is committed at the end of the block.

    It ends within the statement timeout, whatever the server does.

    :param mode: reader or writer of a facade, or its ``connection``
    :raises cells.exceptions.CellsError: see :func:`translated_errors`
    """
    limit = time_limit.limited(STATEMENT_TIMEOUT_SECONDS)
    with translated_errors(conf, address), limit, mode.using(_Call()) as opened:
        yield opened


def _advice(address: Address, error: BaseException) -> str:
    if address.url.get_backend_name() == "sqlite":
        return (
            "Check that the directory exists, that this user may write to it, and that no other process locks the file"
        )
    if getattr(error, "pgcode", None) in _TIMED_OUT:
        return "Find the session that holds a lock, or that overloads the server, in pg_stat_activity"
    return f"Check that the server runs, that no session locks the tables, and that {address.option} is right"


class _Call:
    """Object to which enginefacade attaches the session or connection of one call."""


def _schema_outdated(address: Address) -> exceptions.SchemaOutdated:
    # "cells db sync" uses the database of [database] connection.
    where = "" if address.option == Address.option else f" with {Address.option} set to this database"
    return exceptions.SchemaOutdated(
        f'The database {address} lacks a table or a column: run "cells db sync"{where}. If the error persists, '
        "the tables do not match their revision: restore them from a backup, or drop them all and run the command."
    )


def _original(error: BaseException) -> BaseException:
    """Return the error of the database driver; the wrapping errors add only SQL text."""
    inner = getattr(error, "inner_exception", None) or getattr(error, "orig", None)
    return _original(inner) if isinstance(inner, BaseException) and inner is not error else error


def _reason(error: BaseException) -> str:
    texts = [text for text in error.args if isinstance(text, str)] or [type(error).__name__]
    # The lines after the first may contain the values of a row.
    return texts[-1].strip().splitlines()[0].rstrip(".:") if texts[-1].strip() else type(error).__name__
