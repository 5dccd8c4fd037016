"""Registrations: the table of hosts that serve keys, as statements of one transaction each.

:class:`cells.brokerless.matchmaker.sql.MatchMakerSQL` uses it.  All times are of the
database server's clock: processes whose clocks differ agree on who lives.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from oslo_config import cfg
from oslo_db import exception as oslo_errors
from sqlalchemy import Connection, delete, insert, select, update

from cells.db import engine, models
from cells.db.clock import server_time

#: a key, and a host that serves it
Entry = tuple[str, str]
#: Parameters that one statement may have on every back end.
BATCH_SIZE = 500
_TABLE: Any = models.Registration.__table__


class _Call:
    """What enginefacade hangs the connection of one call on."""


class Registrations:
    """The table, in ``address`` or else ``[database] connection``.  Thread-safe; connects when needed.

    Every method may block for a few seconds.

    :raises cells.exceptions.DatabaseUnavailable: the database does not answer in that time
    :raises cells.exceptions.SchemaOutdated: ``cells db sync`` has to be run first
    """

    def __init__(self, conf: cfg.ConfigOpts, address: engine.Address | None = None) -> None:
        """:raises cells.exceptions.ConfigurationError: the URL cannot be read"""
        self._conf = conf
        self._address = address
        self._facade = engine.facade(conf, address=address)

    def hosts(self, keys: Iterable[str]) -> dict[str, dict[str, float]]:
        """For each key the hosts that are registered: ``{key: {host: seconds since its last heartbeat}}``."""
        found: dict[str, dict[str, float]] = {key: {} for key in keys}
        age = (server_time() - _TABLE.c.refreshed_at).label("age")
        with self._reading() as connection:
            for some in _batches(found):
                statement = select(_TABLE.c.key, _TABLE.c.host, age).where(
                    _TABLE.c.key_id.in_([_digest(key) for key in some])
                )
                for key, host, age_seconds in connection.execute(statement):
                    found[key][host] = max(0.0, float(age_seconds))
        return found

    def refresh(self, entries: Sequence[Entry]) -> None:
        """Register ``entries``, or note that they live: one statement as long as all are there."""
        if self.touch(entries) < len(set(entries)):
            try:
                self._add_missing(entries)
            except oslo_errors.DBDuplicateEntry:
                # Another thread has put one in just now, so it lives; the others are as missing as before.
                self._add_missing(entries)

    def _add_missing(self, entries: Iterable[Entry]) -> None:
        # Not in the transaction that looked for them with an UPDATE: on MariaDB that locks the gaps
        # where rows are missing, and two who then insert into them block each other.
        rows = _by_id(entries)
        with self._writing() as connection:
            for some in _batches(rows):
                there = set(connection.scalars(select(_TABLE.c.id).where(_TABLE.c.id.in_(some))))
                new = [
                    {"id": one, "key_id": _digest(key), "key": key, "host": host, "refreshed_at": server_time()}
                    for one, (key, host) in ((one, rows[one]) for one in some if one not in there)
                ]
                if new:
                    connection.execute(insert(_TABLE).values(new))

    def touch(self, entries: Iterable[Entry]) -> int:
        """Note that ``entries`` live; those that are not registered stay so.  Return how many are."""
        with self._writing() as connection:
            return sum(
                connection.execute(
                    update(_TABLE).where(_TABLE.c.id.in_(some)).values(refreshed_at=server_time())
                ).rowcount
                for some in _batches(_by_id(entries))
            )

    def remove(self, entries: Iterable[Entry], not_since_seconds: float | None = None) -> None:
        """Take ``entries`` out; those that are not there are no error.

        :param not_since_seconds: leave those that had a heartbeat less than so many seconds ago
        """
        with self._writing() as connection:
            for some in _batches(_by_id(entries)):
                statement = delete(_TABLE).where(_TABLE.c.id.in_(some))
                if not_since_seconds is not None:
                    statement = statement.where(_TABLE.c.refreshed_at <= server_time() - not_since_seconds)
                connection.execute(statement)

    def purge(self, dead_for_seconds: float) -> None:
        """Take out whatever had no heartbeat for so long."""
        is_dead = _TABLE.c.refreshed_at < server_time() - dead_for_seconds
        # Looked for first, as a DELETE would lock on its way the rows of all who live.
        with self._reading() as connection:
            dead = list(connection.scalars(select(_TABLE.c.id).where(is_dead)))
        for some in _batches(sorted(dead)):
            with self._writing() as connection:
                connection.execute(delete(_TABLE).where(_TABLE.c.id.in_(some), is_dead))

    def close(self) -> None:
        """Close the connections.  They are opened again when they are needed."""
        self._facade.dispose_pool()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with (
            engine.translated_errors(self._conf, self._address),
            self._facade.reader.connection.using(_Call()) as connection,
        ):
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with (
            engine.translated_errors(self._conf, self._address),
            self._facade.writer.connection.using(_Call()) as connection,
        ):
            engine.lock_if_sqlite(connection)
            yield connection


def _by_id(entries: Iterable[Entry]) -> dict[str, Entry]:
    """In the order of ids, so that two who lock rows do it in the same order."""
    return dict(sorted((_digest(*entry), entry) for entry in entries))


def _digest(*texts: str) -> str:
    # surrogatepass: whatever text it is, it has a digest.
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH_SIZE)):
        yield batch
