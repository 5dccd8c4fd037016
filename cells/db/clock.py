"""Clock of the database server: all processes that use the database share this clock.

The clock is an SQL expression, so a statement reads or writes the time at which the server
executes it: seconds since 1970 as a float.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Double
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement


class server_time(ColumnElement[float]):  # noqa: N801  # used like SQLAlchemy's own functions
    """Seconds since 1970 by the clock of the database server (SQLite: of this machine)."""

    inherit_cache = True
    type = Double()


@compiles(server_time)
def _unknown(element: server_time, compiler: Any, **_options: Any) -> str:
    raise NotImplementedError(f"There is no expression for the time of a {compiler.dialect.name} server.")


@compiles(server_time, "sqlite")
def _sqlite(_element: server_time, _compiler: Any, **_options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(server_time, "postgresql")
def _postgresql(_element: server_time, _compiler: Any, **_options: Any) -> str:
    # Not now(), which is the start of the transaction.
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(server_time, "mysql")
def _mysql(_element: server_time, _compiler: Any, **_options: Any) -> str:
    # Not UNIX_TIMESTAMP, which uses the session's time zone, where one hour a year occurs twice.
    return "(timestampdiff(MICROSECOND, '1970-01-01 00:00:00', utc_timestamp(6)) / 1e6)"
