"""The way into the database: connections that fail quickly, and errors that a person can act on.

:mod:`cells.db.api` and :mod:`cells.db.migration` share it.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy
from oslo_config import cfg
from oslo_db import exception as oslo_errors
from oslo_db.sqlalchemy import enginefacade
from sqlalchemy import exc as sqlalchemy_errors

from cells import exceptions

CONNECT_TIMEOUT_SECONDS = 3
STATEMENT_TIMEOUT_SECONDS = 5
#: the options of [database] that oslo.db's enginefacade takes as they are
_PASSED_ON = (
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
#: the database drivers that this package's extras install, for a URL that names none
_DRIVERS = {"postgresql": "postgresql+psycopg2", "mysql": "mysql+pymysql", "sqlite": "sqlite+pysqlite"}
#: how MariaDB and PostgreSQL say that a table or column is missing; oslo.db knows only some of it
_MISSING = frozenset({1146, 1054, "42P01", "42703"})


@dataclass(frozen=True)
class Address:
    """Where a database is, and which option says so: errors name it."""

    connection: str | None = field(repr=False)
    option: str = "[database] connection"


class _OnlyForDebugging(logging.Filter):
    """Keeps oslo.db from logging, with a traceback, the error that it raises and we report."""

    def filter(self, record: logging.LogRecord) -> bool:
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


logging.getLogger("oslo_db.sqlalchemy.exc_filters").addFilter(_OnlyForDebugging())


def facade(
    conf: cfg.ConfigOpts, statement_timeout_seconds: int = STATEMENT_TIMEOUT_SECONDS, address: Address | None = None
) -> Any:
    """An enginefacade of one's own for ``[database]``.  Does no I/O.

    :param address: the database, if it is another than ``[database] connection``. What else ``[database]``
        says holds for it too, but for ``slave_connection`` and ``connection_parameters``.
    :raises cells.exceptions.ConfigurationError: its URL cannot be read
    """
    database = conf.database
    url = _url(address or _own(conf))
    options = {name: getattr(database, name) for name in _PASSED_ON if address is None or name != "slave_connection"}
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
        # oslo.db would try for minutes before it says that the database is down. Who needs to try again
        # does so: the manager at its next look, the operator after having read why.
        max_retries=0,
        **{name: value for name, value in options.items() if value is not None},
    )
    manager.append_on_engine_create(_hide_parameters)
    return manager


def _hide_parameters(engine: sqlalchemy.Engine) -> None:
    # Errors would quote the values of a statement: transport URLs with their passwords.
    engine.hide_parameters = True


def read_url(connection: str | None, option: str = Address.option) -> sqlalchemy.URL:
    """``[database] connection``, with the driver that this package installs if it names none.

    :param option: the one that ``connection`` is from; the error names it
    :raises cells.exceptions.ConfigurationError: it is no URL
    """
    try:
        url = sqlalchemy.make_url(connection or "")
    except (sqlalchemy_errors.ArgumentError, ValueError):
        raise exceptions.ConfigurationError(
            f"{option} is no database URL. It should look like "
            "mysql+pymysql://user:password@host/cells, postgresql://user:password@host/cells "
            "or sqlite:////path/to/file; special characters of a password are written as %nn."
        ) from None
    # oslo.db knows the errors of this server under one of its two names only.
    name = re.sub(r"^mariadb\b", "mysql", url.drivername)
    return url.set(drivername=_DRIVERS.get(name, name))


def _own(conf: cfg.ConfigOpts) -> Address:
    return Address(conf.database.connection)


def _url(address: Address) -> sqlalchemy.URL:
    return read_url(address.connection, address.option)


def _bounds(url: sqlalchemy.URL, statement_timeout_seconds: int) -> Mapping[str, object]:
    """Parameters of the connection that bound each wait, for the database drivers that have them."""
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
    """On SQLite, make the transaction that has just begun the only one that writes.

    It would take that lock at its first write otherwise, and fail at once if
    another one that has read too is about to do the same.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextlib.contextmanager
def translated_errors(conf: cfg.ConfigOpts, address: Address | None = None) -> Iterator[None]:
    """Turn every error of the libraries below into one of ours, of one line and without a password.

    A duplicate entry passes as it is: the caller alone knows what it means.

    :param address: the database, if it is another than ``[database] connection``
    :raises cells.exceptions.SchemaOutdated: a table is missing
    :raises cells.exceptions.DatabaseUnavailable: anything else went wrong with the database
    :raises cells.exceptions.ConfigurationError: there is no driver for ``[database] connection``
    """
    address = address or _own(conf)
    try:
        yield
    except oslo_errors.DBDuplicateEntry:
        raise
    except oslo_errors.DBNonExistentTable as error:
        raise _schema_outdated(address) from error
    except (sqlalchemy_errors.NoSuchModuleError, ModuleNotFoundError) as error:
        raise exceptions.ConfigurationError(
            f"There is no driver for the database {_shown(address)}: {error}. "
            "For PostgreSQL and MariaDB install cells-intercell[postgresql] or cells-intercell[mysql]."
        ) from error
    except (oslo_errors.DBError, sqlalchemy_errors.SQLAlchemyError) as error:
        original = _original(error)
        codes = (*original.args[:1], getattr(original, "pgcode", None))
        # SQLite has no code of its own for it.
        if _MISSING.intersection(codes) or str(codes[0]).startswith("no such column"):
            raise _schema_outdated(address) from error
        advice = (
            "See whether the directory exists, this user may write to it, and no other process keeps it locked"
            if _url(address).get_backend_name() == "sqlite"
            else f"See whether the server runs and whether {address.option} is right"
        )
        raise exceptions.DatabaseUnavailable(
            f"The database {_shown(address)} cannot be used: {_reason(original)}. {advice}."
        ) from error


def _schema_outdated(address: Address) -> exceptions.SchemaOutdated:
    # The command works on the database of [database] connection.
    where = "" if address.option == Address.option else f" with {Address.option} set to this database"
    return exceptions.SchemaOutdated(
        f'The database {_shown(address)} lacks a table or a column: run "cells db sync"{where}. If it lacks it still, '
        "the tables do not match their revision: restore them from a backup, or drop them all and run it again."
    )


def _shown(address: Address) -> str:
    return _url(address).set(query={}).render_as_string(hide_password=True)


def _original(error: BaseException) -> BaseException:
    """The error of the database driver: what the others wrap it with is SQL text."""
    inner = getattr(error, "inner_exception", None) or getattr(error, "orig", None)
    return _original(inner) if isinstance(inner, BaseException) and inner is not error else error


def _reason(error: BaseException) -> str:
    texts = [text for text in error.args if isinstance(text, str)] or [type(error).__name__]
    # Whatever follows the first line may be a row's values.
    return texts[-1].strip().splitlines()[0].rstrip(".:") if texts[-1].strip() else type(error).__name__
