"""Contract suite of the database: unit tests run it on SQLite, integration tests on real servers.

A test module imports the classes and defines a fixture ``conf`` that names an empty database.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from oslo_config import cfg
from oslo_utils import timeutils

from cells import conf as cells_conf
from cells import exceptions
from cells.certificates import issuing
from cells.db import engine, migration, models, schema
from cells.db.api import Database
from cells.db.clock import server_time
from cells.neighbors import row_changes
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.transitions import MAX_PER_NEIGHBOR, REMOVED, REMOVED_SECONDS, Transition
from cells.path import CellPath

EAST = Neighbor("east", "rabbit://u:p%40ss@h:5672/v", is_parent=False)
SYNCS_AT_ONCE = 2
#: The table of neighbors in the release of revision 0002, with every column that its statements name.
#: Managers and commands of that release continue to run on tables that this release has migrated.
CELLS_OF_0002 = sqlalchemy.table(
    "cells",
    *(sqlalchemy.column(name, sqlalchemy.Integer) for name in ("id", "deleted")),
    *(sqlalchemy.column(name, sqlalchemy.String) for name in ("name", "api_url", "driver")),
    *(sqlalchemy.column(name, sqlalchemy.Double) for name in ("weight_offset", "weight_scale")),
    *(sqlalchemy.column(name, sqlalchemy.DateTime) for name in ("created_at", "updated_at", "deleted_at")),
    *(sqlalchemy.column("transport_url", sqlalchemy.Text), sqlalchemy.column("is_parent", sqlalchemy.Boolean)),
)


@pytest.fixture
def database(conf: cfg.ConfigOpts) -> Iterator[Database]:
    migration.sync(conf)
    database = Database(conf)
    yield database
    database.close()


@contextlib.contextmanager
def connected(conf: cfg.ConfigOpts) -> Iterator[sqlalchemy.Connection]:
    facade = engine.facade(conf)
    with facade.writer.get_engine().begin() as connection:
        yield connection
    facade.dispose_pool()


def sync_to(conf: cfg.ConfigOpts, revision: str) -> None:
    """Migrate the database as the release of ``revision`` did."""
    config = migration._config()
    with connected(conf) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def certificate_of(name: str) -> str:
    """Return a new certificate in PEM."""
    return issuing.self_signed(CellPath.parse(name), issuing.new_key(), now=timeutils.utcnow(True), days=1)


def insert_as_0002(row: Neighbor) -> sqlalchemy.Insert:
    """Return the statement with which the release of revision 0002 registers ``row``."""
    values = {name: value for name, value in row.as_dict().items() if name in CELLS_OF_0002.columns}
    return sqlalchemy.insert(CELLS_OF_0002).values(**values, created_at=timeutils.utcnow(), deleted=0)


def sync_in_a_process(config_file: str) -> str:
    return migration.sync(cells_conf.load([config_file]))


class KnownPaths:
    """The last known paths of the parents (case C3)."""

    def test_paths_are_replaced(self, database: Database) -> None:
        assert database.known_paths() == {}
        database.store_known_paths({"east": "api!east", "West": "api!West", "west": "west"})
        database.store_known_paths({"east": "top!api!east", "west": "west"})
        assert database.known_paths() == {"east": "top!api!east", "west": "west"}
        assert database.neighbors() == []

    def test_two_managers_may_store_at_once(self, conf: cfg.ConfigOpts, database: Database) -> None:
        databases = [database, Database(conf)]
        with concurrent.futures.ThreadPoolExecutor(len(databases)) as pool:
            for number in range(5):
                paths = {f"parent{number}": "api!east"}
                list(pool.map(lambda one, paths=paths: one.store_known_paths(paths), databases))  # type: ignore[misc]
                assert database.known_paths() == paths
        databases[1].close()


class Transitions:
    """Contract of the history of links."""

    def test_changes_are_read_back_oldest_first(self, database: Database) -> None:
        changes = [
            Transition("east", "m1", "up", 1.25),
            Transition("ost-東😀", "m1", "silent", 2.5, "東😀 " * 100),
            Transition("east", "m1", "mute", 1e9, "It is away."),
        ]
        database.record_transitions(changes)
        assert database.transitions() == changes
        assert database.transitions("east") == [changes[0], changes[2]]
        assert database.transitions(limit=1) == changes[2:]
        assert database.transitions("EAST") == []

    def test_each_manager_stores_a_state_once(self, database: Database) -> None:
        def change(manager: str, state: str, since: float) -> Transition:
            return Transition("east", manager, state, since)

        database.record_transitions([change("m1", "up", 1), change("m1", "up", 2), change("m2", "up", 2)])
        # m1 has started again: it sees the same state first.
        database.record_transitions([change("m1", "up", 3), change("m1", "mute", 4), change("m2", "mute", 4)])
        database.record_transitions([change("m1", "up", 5)])
        assert [(one.manager, one.state, one.since) for one in database.transitions("east")] == [
            *(("m1", "up", 1), ("m2", "up", 2)),
            *(("m1", "mute", 4), ("m2", "mute", 4), ("m1", "up", 5)),
        ]

    def test_managers_may_store_at_once(self, conf: cfg.ConfigOpts, database: Database) -> None:
        databases = {"m1": database, "m2": Database(conf)}
        rounds = 5

        def store(manager: str) -> None:
            for number in range(rounds):
                states = [Transition(name, manager, f"s{number}", number) for name in ("east", "west")]
                databases[manager].record_transitions(states)

        with concurrent.futures.ThreadPoolExecutor(len(databases)) as pool:
            list(pool.map(store, databases))
        assert len(database.transitions()) == rounds * len(databases) * 2
        databases["m2"].close()

    def test_the_oldest_changes_of_a_neighbor_are_removed(self, database: Database) -> None:
        database.record_transitions([Transition("west", "m1", "up", 0)])
        count = MAX_PER_NEIGHBOR + 7
        flaps = [Transition("east", "m1", ("up", "mute")[number % 2], number) for number in range(count)]
        for start in range(0, count, 200):
            database.record_transitions(flaps[start : start + 200])
        assert database.transitions("east", limit=2 * count) == flaps[-MAX_PER_NEIGHBOR:]
        assert len(database.transitions("west")) == 1

    def test_the_changes_of_a_removed_neighbor_are_removed_later(self, database: Database) -> None:
        database.create(EAST)
        for name in ("east", "west", "north"):
            database.record_transitions([Transition(name, "m1", "up", 1)])
        database.record_transitions([Transition("north", "m1", REMOVED, REMOVED_SECONDS)])
        assert {one.neighbor for one in database.transitions()} == {"east", "west", "north"}
        database.record_transitions([Transition("south", "m1", REMOVED, REMOVED_SECONDS + 10)])
        # East is registered, so it has just not changed for long.
        assert {one.neighbor for one in database.transitions()} == {"east", "north", "south"}


class Schema:
    """Contract of the tables and their migrations."""

    def test_the_error_of_an_empty_database_names_the_remedy(self, conf: cfg.ConfigOpts) -> None:
        assert migration.version(conf) is None
        with pytest.raises(exceptions.SchemaOutdated, match="cells db sync"):
            Database(conf).neighbors()

    def test_sync_creates_the_tables_and_may_run_again(self, conf: cfg.ConfigOpts) -> None:
        assert migration.sync(conf) == schema.HEAD
        Database(conf).create(EAST)
        assert migration.sync(conf) == schema.HEAD
        assert migration.version(conf) == schema.HEAD
        assert Database(conf).neighbors() == [EAST]

    def test_a_database_object_made_before_the_sync_works_after_it(self, conf: cfg.ConfigOpts) -> None:
        database = Database(conf)
        with pytest.raises(exceptions.SchemaOutdated):
            database.neighbors()
        migration.sync(conf)
        assert database.neighbors() == []

    def test_concurrent_syncs_of_threads(self, conf: cfg.ConfigOpts) -> None:
        with concurrent.futures.ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
            revisions = list(pool.map(migration.sync, [conf] * SYNCS_AT_ONCE))
        assert revisions == [schema.HEAD] * SYNCS_AT_ONCE

    def test_migrations_create_the_tables_of_the_models(self, conf: cfg.ConfigOpts) -> None:
        migration.sync(conf)
        with connected(conf) as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, models.Base.metadata) == []

    @pytest.mark.parametrize("revision", schema.REVISIONS[:-1])
    def test_an_older_database_is_upgraded_with_its_rows(self, conf: cfg.ConfigOpts, revision: str) -> None:
        sync_to(conf, revision)
        assert migration.version(conf) == revision
        with connected(conf) as connection:
            connection.execute(insert_as_0002(EAST))
        with pytest.raises(exceptions.SchemaOutdated, match=rf"{revision} .*{schema.HEAD}.*cells db sync"):
            Database(conf).neighbors()
        assert migration.sync(conf) == schema.HEAD
        assert Database(conf).neighbors() == [EAST]
        with connected(conf) as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, models.Base.metadata) == []

    def test_the_previous_release_works_on_the_migrated_tables(self, conf: cfg.ConfigOpts) -> None:
        west = Neighbor("west", EAST.transport_url, is_parent=True, version_cap="1.2")
        migration.sync(conf)
        database = Database(conf)
        database.create(west)
        of_west = CELLS_OF_0002.columns.name == "west"
        with connected(conf) as connection:
            connection.execute(insert_as_0002(EAST))
            connection.execute(
                sqlalchemy.update(CELLS_OF_0002).where(of_west).values(weight_scale=2.0, updated_at=timeutils.utcnow())
            )
            seen = connection.execute(sqlalchemy.select(CELLS_OF_0002).where(CELLS_OF_0002.columns.deleted == 0)).all()
        assert {(row.name, row.weight_scale, row.driver) for row in seen} == {
            ("east", 1.0, "rpc"),
            ("west", 2.0, "rpc"),
        }
        # The old release did not need the new column and left its values unchanged.
        assert database.neighbors() == [EAST, dataclasses.replace(west, weight_scale=2.0)]
        with connected(conf) as connection:
            deleted = {"deleted": CELLS_OF_0002.columns.id, "deleted_at": timeutils.utcnow()}
            connection.execute(sqlalchemy.update(CELLS_OF_0002).where(of_west).values(**deleted))
        assert database.neighbors() == [EAST]
        database.close()

    def test_a_sync_while_the_previous_release_is_connected(self, conf: cfg.ConfigOpts) -> None:
        sync_to(conf, "0002")
        previous = engine.facade(conf)
        statement = sqlalchemy.select(CELLS_OF_0002.columns.name)
        with previous.writer.get_engine().connect() as connection:
            connection.execute(insert_as_0002(EAST))
            connection.commit()
            assert connection.scalars(statement).all() == ["east"]
            connection.rollback()
            assert migration.sync(conf) == schema.HEAD
            assert connection.scalars(statement).all() == ["east"]
            connection.execute(sqlalchemy.update(CELLS_OF_0002).values(weight_scale=3.0))
            connection.commit()
        previous.dispose_pool()
        assert Database(conf).neighbors() == [dataclasses.replace(EAST, weight_scale=3.0)]

    def test_the_clock_of_the_server_counts_seconds_since_1970(self, conf: cfg.ConfigOpts) -> None:
        # The servers of the tests run on this machine.
        with connected(conf) as connection:
            before = time.time()
            server_seconds = connection.scalar(sqlalchemy.select(server_time()))
            after = time.time()
        assert before - 0.01 <= float(server_seconds) <= after + 0.01  # type: ignore[arg-type]

    def test_a_missing_table(self, conf: cfg.ConfigOpts) -> None:
        migration.sync(conf)
        with connected(conf) as connection:
            connection.exec_driver_sql("DROP TABLE cells")
        with pytest.raises(exceptions.SchemaOutdated, match="cells db sync"):
            Database(conf).neighbors()

    def test_a_newer_schema_works_but_cannot_be_synced(self, conf: cfg.ConfigOpts) -> None:
        migration.sync(conf)
        with connected(conf) as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        assert Database(conf).neighbors() == []
        with pytest.raises(exceptions.SchemaOutdated, match="9999"):
            migration.sync(conf)
        assert migration.version(conf) == "9999"


class Processes:
    """Contract of concurrent processes; too slow for the unit tests."""

    def test_concurrent_syncs_of_processes(self, conf: cfg.ConfigOpts) -> None:
        spawn = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(SYNCS_AT_ONCE, mp_context=spawn) as pool:
            revisions = list(pool.map(sync_in_a_process, conf.config_file * SYNCS_AT_ONCE))
        assert revisions == [schema.HEAD] * SYNCS_AT_ONCE
        Database(conf).create(EAST)


class Registry:
    """Contract of the registered neighbors."""

    def test_a_created_neighbor_is_read_back(self, database: Database) -> None:
        row = Neighbor(
            "ost-ö-東😀",
            "rabbit://ü:%F0%9F%98%80@[::1]:5673/東😀",
            is_parent=True,
            driver="memory",
            api_url="https://api/ö😀",
            weight_offset=-0.1,
            weight_scale=1e-300,
            version_cap="cells-0.2",
        )
        database.create(row)
        assert database.get(row.name) == row
        assert database.neighbors() == [row]

    def test_neighbors_are_sorted(self, database: Database) -> None:
        for name in ("b", "a", "B", "10", "9"):
            database.create(Neighbor(name, EAST.transport_url, is_parent=False))
        assert [row.name for row in database.neighbors()] == ["10", "9", "B", "a", "b"]

    def test_names_that_differ_by_case_or_accent_alone_are_different_cells(self, database: Database) -> None:
        for name in ("east", "East", "éast", "east-"):
            database.create(Neighbor(name, f"rabbit://{len(name)}/{name}", is_parent=False))
        assert len(database.neighbors()) == 4
        assert database.get("East").transport_url == "rabbit://4/East"
        with pytest.raises(exceptions.NeighborNotFound):
            database.get("EAST")

    def test_a_name_is_taken_once(self, database: Database) -> None:
        database.create(EAST)
        with pytest.raises(exceptions.NeighborExists, match="east") as caught:
            database.create(EAST)
        assert caught.value.cell == "east"
        assert database.neighbors() == [EAST]

    def test_concurrent_creations_of_a_name_succeed_once(self, database: Database) -> None:
        def create(_: int) -> bool:
            try:
                database.create(EAST)
            except exceptions.NeighborExists:
                return False
            return True

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(create, range(4))) == [False, False, False, True]

    def test_a_merge_makes_all_changes_or_none(self, database: Database) -> None:
        west, new = (Neighbor(name, EAST.transport_url, is_parent=False) for name in ("west", "new"))
        database.create(EAST)
        database.create(west)
        wanted = [dataclasses.replace(EAST, weight_scale=2.0), new]
        to_wanted = functools.partial(row_changes.compare, wanted=wanted, prune=True)
        dry = database.merge(to_wanted, is_dry_run=True)
        assert database.neighbors() == [EAST, west]
        assert database.merge(to_wanted) == dry
        assert database.neighbors() == wanted

        def fail(_: object) -> row_changes.RowChanges:
            # A row that another command has registered meanwhile.
            return row_changes.RowChanges([west, new], [], [], [], [])

        with pytest.raises(exceptions.NeighborExists):
            database.merge(fail)
        assert database.neighbors() == wanted

    def test_concurrent_changes_are_all_made(self, database: Database) -> None:
        database.create(EAST)
        changes: dict[str, Any] = {"weight_scale": 2, "weight_offset": 3, "is_parent": True, "driver": "x"}
        with concurrent.futures.ThreadPoolExecutor(len(changes)) as pool:
            list(pool.map(lambda column: database.update("east", **{column: changes[column]}), changes))
        assert database.get("east") == dataclasses.replace(EAST, **changes)

    def test_a_deleted_name_can_be_used_again_repeatedly(self, database: Database) -> None:
        for offset in range(3):
            row = Neighbor("east", EAST.transport_url, is_parent=False, weight_offset=offset)
            database.create(row)
            assert database.neighbors() == [row]
            database.delete("east")
            assert database.neighbors() == []

    def test_a_deleted_row_stays_with_its_times(self, database: Database, conf: cfg.ConfigOpts) -> None:
        database.create(EAST)
        database.update("east", weight_scale=2)
        database.delete("east")
        with connected(conf) as connection:
            rows = connection.execute(sqlalchemy.select(models.Cell.__table__)).mappings().all()
        assert [(row["name"], row["deleted"] == row["id"]) for row in rows] == [("east", True)]
        assert rows[0]["created_at"] <= rows[0]["deleted_at"]
        assert rows[0]["created_at"] <= rows[0]["updated_at"]

    def test_update_changes_only_the_given_columns(self, database: Database) -> None:
        database.create(EAST)
        changed = database.update("east", is_parent=True, transport_url="rabbit://other/")
        assert changed == Neighbor("east", "rabbit://other/", is_parent=True)
        assert database.get("east") == changed

    def test_a_version_cap_can_be_set_and_removed(self, database: Database) -> None:
        database.create(EAST)
        assert database.update("east", version_cap="1.1").version_cap == "1.1"
        assert database.get("east").version_cap == "1.1"
        database.update("east", version_cap=None)
        assert database.get("east") == EAST

    def test_a_direct_link_is_read_back_and_changed(self, database: Database) -> None:
        row = Neighbor(
            "east",
            "",
            is_parent=False,
            driver="direct",
            addresses="10.0.0.5:5680,[fd00::5]:5680",
            certificates=certificate_of("east") + certificate_of("east"),
            certificate_path="api!東😀!east",
            also_accept="rpc",
        )
        database.create(row)
        assert database.get("east") == row
        removed = dict.fromkeys(("addresses", "certificates", "certificate_path", "also_accept"))
        database.update("east", transport_url=EAST.transport_url, driver="rpc", **removed)
        assert database.neighbors() == [EAST]

    def test_a_certificate_belongs_to_one_neighbor(self, database: Database) -> None:
        pems = [certificate_of("east"), certificate_of("west")]
        east = dataclasses.replace(EAST, certificates=pems[0])
        database.create(east)
        with pytest.raises(exceptions.InvalidNeighbor, match="that of east"):
            database.create(dataclasses.replace(EAST, name="west", certificates=pems[1] + pems[0]))
        west = dataclasses.replace(EAST, name="west", certificates=pems[1])
        database.create(west)
        with pytest.raises(exceptions.InvalidNeighbor, match="that of east"):
            database.update("west", certificates=pems[0])
        database.update("east", certificates=pems[0])
        assert database.neighbors() == [east, west]
        database.delete("east")
        assert database.update("west", certificates=pems[0]).certificates == pems[0]

    @pytest.mark.parametrize("changes", [{"weight_scale": float("inf")}, {"transport_url": "x"}, {"wieght": 1}])
    def test_a_bad_change_changes_nothing(self, database: Database, changes: dict[str, object]) -> None:
        database.create(EAST)
        with pytest.raises(exceptions.InvalidNeighbor):
            database.update("east", **changes)
        assert database.get("east") == EAST

    @pytest.mark.parametrize("name", ["west", "", "a\nb", "\udcff", "x" * 300])
    def test_unknown_names_are_not_found(self, database: Database, name: str) -> None:
        database.create(EAST)
        for operation in (database.get, database.delete, lambda name: database.update(name, is_parent=True)):
            with pytest.raises(exceptions.NeighborNotFound):
                operation(name)
        assert database.neighbors() == [EAST]

    def test_an_invalid_row_does_not_affect_the_others(
        self, database: Database, conf: cfg.ConfigOpts, caplog: pytest.LogCaptureFixture
    ) -> None:
        database.create(EAST)
        database.create(Neighbor("west", EAST.transport_url, is_parent=False))
        with connected(conf) as connection:
            connection.exec_driver_sql("UPDATE cells SET transport_url = 'u:s3kr3t' WHERE name = 'west'")
        assert database.neighbors() == [EAST]
        assert "west" in caplog.text
        assert "s3kr3t" not in caplog.text
        usable, (problem,) = database.examine()
        assert (usable, problem.cell) == ([EAST], "west")
        with pytest.raises(exceptions.InvalidNeighbor):
            database.get("west")
        database.update("west", transport_url=EAST.transport_url)
        assert len(database.neighbors()) == 2

    def test_connections_are_opened_again_after_close(self, database: Database) -> None:
        database.create(EAST)
        database.close()
        assert database.neighbors() == [EAST]
        database.close()
        database.close()


def config_file(directory: Path, connection: str) -> Path:
    """A configuration file for ``connection``."""
    path = directory / "cells.conf"
    path.write_text(f"[cells]\nname = api\n[database]\nconnection = {connection}\n")
    return path
