"""Registrations: the table of the hosts that serve a key; each method is one transaction per batch.

:class:`cells.brokerless.matchmaker.sql.MatchMakerSQL` uses it.  All times come from the
database server's clock, so processes with different clocks agree on the live hosts.
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

#: (key, host that serves the key)
Entry = tuple[str, str]
#: Number of parameters that every back end accepts in one statement.
BATCH_SIZE = 500
_TABLE: Any = models.Registration.__table__


class Registrations:
    """The table, in ``address`` or else ``[database] connection``.  Thread-safe; connects on demand.

    Every method may block for a few seconds.

    :raises cells.exceptions.DatabaseUnavailable: the database does not answer in that time
    :raises cells.exceptions.SchemaOutdated: the operator must run ``cells db sync`` first
    """

    def __init__(self, conf: cfg.ConfigOpts, address: engine.Address | None = None) -> None:
        """:raises cells.exceptions.ConfigurationError: the URL is invalid"""
        self._conf = conf
        self._address = address
        self._facade = engine.facade(conf, address=address)

    def hosts(self, keys: Iterable[str]) -> dict[str, dict[str, float]]:
        """Return the registered hosts of each key: ``{key: {host: seconds since its last heartbeat}}``."""
        found: dict[str, dict[str, float]] = {key: {} for key in keys}
        age = (server_time() - _TABLE.c.refreshed_at).label("age")
        with self._reading() as connection:
            for batch in _batches(found):
                statement = select(_TABLE.c.key, _TABLE.c.host, age).where(
                    _TABLE.c.key_id.in_([_digest(key) for key in batch])
                )
                for key, host, age_seconds in connection.execute(statement):
                    found[key][host] = max(0.0, float(age_seconds))
        return found

    def refresh(self, entries: Sequence[Entry]) -> None:
        """Record a heartbeat of ``entries`` and add the missing ones: one statement per batch if none is missing."""
        if self.touch(entries) < len(set(entries)):
            try:
                self._add_missing(entries)
            except oslo_errors.DBDuplicateEntry:
                # Another thread has just added an entry with a fresh heartbeat; the other entries are still missing.
                self._add_missing(entries)

    def _add_missing(self, entries: Iterable[Entry]) -> None:
        # Not in the transaction of the UPDATE: on MariaDB an UPDATE locks the gaps of missing rows,
        # and two transactions that then insert into these gaps block each other.
        rows = _by_id(entries)
        with self._writing() as connection:
            for batch in _batches(rows):
                existing = set(connection.scalars(select(_TABLE.c.id).where(_TABLE.c.id.in_(batch))))
                new = [
                    {"id": row_id, "key_id": _digest(key), "key": key, "host": host, "refreshed_at": server_time()}
                    for row_id, (key, host) in ((row_id, rows[row_id]) for row_id in batch if row_id not in existing)
                ]
                if new:
                    connection.execute(insert(_TABLE).values(new))

    def touch(self, entries: Iterable[Entry]) -> int:
        """Record a heartbeat of the registered ones of ``entries``; return their number."""
        with self._writing() as connection:
            return sum(
                connection.execute(
                    update(_TABLE).where(_TABLE.c.id.in_(batch)).values(refreshed_at=server_time())
                ).rowcount
                for batch in _batches(_by_id(entries))
            )

    def remove(self, entries: Iterable[Entry], not_since_seconds: float | None = None) -> None:
        """Remove ``entries``; an entry that is not registered is no error.

        :param not_since_seconds: keep entries whose last heartbeat is less than so many seconds old
        """
        with self._writing() as connection:
            for batch in _batches(_by_id(entries)):
                statement = delete(_TABLE).where(_TABLE.c.id.in_(batch))
                if not_since_seconds is not None:
                    statement = statement.where(_TABLE.c.refreshed_at <= server_time() - not_since_seconds)
                connection.execute(statement)

    def purge(self, dead_for_seconds: float) -> None:
        """Remove all entries without a heartbeat for ``dead_for_seconds``."""
        is_dead = _TABLE.c.refreshed_at < server_time() - dead_for_seconds
        # A SELECT first, because a DELETE alone would lock the rows of the live hosts that it scans.
        with self._reading() as connection:
            dead = list(connection.scalars(select(_TABLE.c.id).where(is_dead)))
        for batch in _batches(sorted(dead)):
            with self._writing() as connection:
                connection.execute(delete(_TABLE).where(_TABLE.c.id.in_(batch), is_dead))

    def close(self) -> None:
        """Close the connections.  They are opened again on demand."""
        self._facade.dispose_pool()

    def _reading(self) -> contextlib.AbstractContextManager[Connection]:
        return engine.transaction(self._facade.reader.connection, self._conf, self._address)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with engine.transaction(self._facade.writer.connection, self._conf, self._address) as connection:
            engine.lock_if_sqlite(connection)
            yield connection


def _by_id(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return ``entries`` in the order of their ids, so that all transactions lock rows in the same order."""
    return dict(sorted((_digest(*entry), entry) for entry in entries))


def _digest(*texts: str) -> str:
    # surrogatepass, so that every text has a digest.
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH_SIZE)):
        yield batch
