"""The clock of the database server, the one clock that all processes which use it share.

An expression, so that a statement compares with or writes the time at which the
server carries it out: seconds since 1970 as a float.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Double
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement


class server_time(ColumnElement[float]):  # noqa: N801  # used as SQLAlchemy's own functions are
    """Seconds since 1970 by the clock of the database server (SQLite: of this machine)."""

    inherit_cache = True
    type = Double()


@compiles(server_time)
def _unknown(element: server_time, compiler: Any, **_options: Any) -> str:
    raise NotImplementedError(f"How to ask {compiler.dialect.name} for the time is not known.")


@compiles(server_time, "sqlite")
def _sqlite(_element: server_time, _compiler: Any, **_options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(server_time, "postgresql")
def _postgresql(_element: server_time, _compiler: Any, **_options: Any) -> str:
    # Not now(), which is when the transaction began.
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(server_time, "mysql")
def _mysql(_element: server_time, _compiler: Any, **_options: Any) -> str:
    # UNIX_TIMESTAMP would go through the session's time zone, in which one hour a year comes twice.
    return "(timestampdiff(MICROSECOND, '1970-01-01 00:00:00', utc_timestamp(6)) / 1e6)"
