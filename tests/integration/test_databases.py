"""Contract suite of the database on PostgreSQL and MariaDB; the unit tests run it on SQLite."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from oslo_config import cfg

from cells import conf as cells_conf
from cells import exceptions
from cells.db import engine, migration
from cells.db.api import Database
from tests.integration import servers
from tests.unit.db.suite import KnownPaths, Processes, Registry, Schema, Transitions, config_file, database

__all__ = ["database"]

SERVERS = [
    pytest.param(servers.POSTGRESQL_URL, id="postgresql", marks=pytest.mark.postgresql),
    pytest.param(servers.MYSQL_URL, id="mariadb", marks=pytest.mark.mariadb),
    # MariaDB's other name, which oslo.db does not know.
    pytest.param(servers.MYSQL_URL.replace("mysql", "mariadb", 1), id="mariadb-by-name", marks=pytest.mark.mariadb),
]


@pytest.fixture(params=SERVERS)
def conf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[cfg.ConfigOpts]:
    with servers.fresh_database(request.param) as url:
        yield cells_conf.load([config_file(tmp_path, url)])


class TestRegistry(Registry):
    pass


class TestKnownPaths(KnownPaths):
    pass


class TestTransitions(Transitions):
    pass


class TestSchema(Schema):
    pass


class TestProcesses(Processes):
    @pytest.fixture(params=[*SERVERS, pytest.param(None, id="sqlite")])
    def conf(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[cfg.ConfigOpts]:
        sqlite = contextlib.nullcontext(f"sqlite:///{tmp_path}/cells.sqlite")
        with servers.fresh_database(request.param) if request.param else sqlite as url:
            yield cells_conf.load([config_file(tmp_path, url)])


def test_a_connection_that_the_server_has_closed_is_replaced(database: Database, conf: cfg.ConfigOpts) -> None:
    assert database.neighbors() == []
    other = engine.facade(conf)
    with other.writer.get_engine().connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        else:
            for row in connection.exec_driver_sql(
                "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
            ).all():
                connection.exec_driver_sql(f"KILL {row.id}")
    other.dispose_pool()
    assert database.neighbors() == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"port": 1}, id="no-listener"),
        pytest.param({"username": "no-such-user", "password": "s3kr3t"}, id="wrong-user"),
        pytest.param({"database": "no_such_database"}, id="no-such-database"),
    ],
)
def test_a_database_that_refuses_is_named_quickly_and_without_its_password(
    conf: cfg.ConfigOpts, tmp_path: Path, change: dict[str, object]
) -> None:
    url = sqlalchemy.make_url(conf.database.connection).set(**change).render_as_string(hide_password=False)
    refused = cells_conf.load([config_file(tmp_path, url)])
    for operation in (Database(refused).neighbors, lambda: migration.sync(refused)):
        started_at = time.monotonic()
        with pytest.raises(exceptions.DatabaseUnavailable) as caught:
            operation()
        assert time.monotonic() - started_at < engine.CONNECT_TIMEOUT_SECONDS + engine.STATEMENT_TIMEOUT_SECONDS
        assert "s3kr3t" not in str(caught.value)
        assert "\n" not in str(caught.value)
