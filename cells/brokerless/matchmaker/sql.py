"""MatchMakerSQL: servers register in the cell's own database, so that a cell needs no further service.

Heartbeats are times of the database server's clock; the clocks of the hosts do not matter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from oslo_config import cfg
from oslo_db import options as db_options

from cells import exceptions
from cells.brokerless.matchmaker.heartbeat import Entry, HeartbeatMatchMakerBase
from cells.db import engine
from cells.db.registrations import Registrations

OPTION = "[oslo_messaging_zmq] matchmaker_connection"


class MatchMakerSQL(HeartbeatMatchMakerBase):
    """The registry is a table of the database of ``matchmaker_connection``, else of ``[database] connection``.

    ``cells db sync`` creates the table.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises cells.exceptions.ConfigurationError: no database is configured, or its URL cannot be read"""
        super().__init__(conf)
        connection = conf.oslo_messaging_zmq.matchmaker_connection
        address = engine.Address(connection, OPTION) if connection else None
        self._table = Registrations(_with_database_options(conf, is_own=address is None), address)

    def backend_register(self, key: str, host: str) -> None:
        self._table.refresh([(key, host)])

    def backend_unregister(self, key: str, host: str) -> None:
        self._table.remove([(key, host)])

    def backend_hosts(self, keys: Collection[str]) -> Mapping[str, Mapping[str, float]]:
        return self._table.hosts(keys)

    def backend_heartbeat(self, entries: Sequence[Entry]) -> None:
        self._table.refresh(entries)

    def backend_withdraw(self, entries: Sequence[Entry]) -> None:
        self._table.remove(entries)

    def backend_touch(self, entries: Sequence[Entry]) -> None:
        self._table.touch(entries)

    def backend_expire(self, entries: Sequence[Entry], not_since_seconds: float) -> None:
        self._table.remove(entries, not_since_seconds)

    def backend_purge(self, dead_for_seconds: float) -> None:
        self._table.purge(dead_for_seconds)

    def backend_close(self) -> None:
        self._table.close()


def _with_database_options(conf: cfg.ConfigOpts, *, is_own: bool) -> cfg.ConfigOpts:
    """Return a configuration with the options of oslo.db: ``conf``, which may belong to another service, or a new one.

    :param is_own: whether ``[database] connection`` is used
    """
    if is_own:
        try:
            conf.register_opts(db_options.database_opts, group="database")
            connection = conf.database.connection
        except cfg.Error:
            # [database] is not oslo.db's there, or has this project's default, which needs an unregistered option.
            connection = None
        if not connection:
            raise exceptions.ConfigurationError(
                f"The MatchMaker sql has no database: set {OPTION} to the database of the cell, "
                "for example postgresql://user:password@host/cells."
            )
    elif "database" not in conf or any(option.dest not in conf.database for option in db_options.database_opts):
        conf = cfg.ConfigOpts()
        conf.register_opts(db_options.database_opts, group="database")
        conf([], default_config_files=[], default_config_dirs=[])
    return conf
