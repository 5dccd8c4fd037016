"""A registry in a database."""

from __future__ import annotations

import sqlalchemy
from oslo_config import cfg
from oslo_db import options as db_options

from cells.db import engine, migration, models
from tests.unit.brokerless.matchmaker.suite import Registry

TABLE = models.Registration.__table__


class SQLRegistry(Registry):
    """Creates the tables."""

    def __init__(self, connection: str) -> None:
        super().__init__("sql", connection)
        conf = cfg.ConfigOpts()
        conf.register_opts(db_options.database_opts, group="database")
        conf([], default_config_files=[], default_config_dirs=[])
        conf.set_override("connection", connection, group="database")
        migration.sync(conf)
        self._engine = sqlalchemy.create_engine(engine.read_url(connection), poolclass=sqlalchemy.NullPool)

    def entries(self) -> set[tuple[str, str]]:
        with self._engine.connect() as opened:
            return {(row.key, row.host) for row in opened.execute(sqlalchemy.select(TABLE.c.key, TABLE.c.host))}

    def age(self, key: str, host: str, seconds: float) -> None:
        change = sqlalchemy.update(TABLE).values(refreshed_at=TABLE.c.refreshed_at - seconds)
        with self._engine.begin() as opened:
            opened.execute(change.where(TABLE.c.key == key, TABLE.c.host == host))

    def clear(self) -> None:
        with self._engine.begin() as opened:
            opened.execute(sqlalchemy.delete(TABLE))
