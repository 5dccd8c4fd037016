"""Options of [database]: errors for invalid settings, and the options of a second database."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from cells import exceptions
from cells.db import engine, migration
from cells.db.api import Database
from tests.unit.db.conftest import configuration


@pytest.mark.parametrize(
    "connection",
    [
        pytest.param("u:s3kr3t@h/cells", id="no-url"),
        pytest.param("foo://u:s3kr3t@h/cells", id="unknown-kind"),
        pytest.param("mysql+nodriver://u:s3kr3t@h/cells", id="unknown-driver"),
        pytest.param("postgresql://u:s3kr3t@h:port/cells", id="port-no-number"),
    ],
)
def test_a_connection_that_cannot_be_read(tmp_path: Path, connection: str) -> None:
    conf = configuration(tmp_path, connection)
    with pytest.raises(exceptions.ConfigurationError) as caught:
        Database(conf).neighbors()
    assert "s3kr3t" not in str(caught.value)
    with pytest.raises(exceptions.ConfigurationError):
        migration.sync(conf)


@pytest.mark.parametrize(
    "connection",
    [
        pytest.param("postgresql://u:s3kr3t@127.0.0.1:1/cells", id="postgresql"),
        pytest.param("mysql://u:s3kr3t@127.0.0.1:1/cells", id="mysql"),
        pytest.param("mariadb+pymysql://u:s3kr3t@127.0.0.1:1/cells", id="mariadb"),
        pytest.param("sqlite:////nonexistent/s3kr3t.sqlite", id="sqlite"),
    ],
)
def test_an_unreachable_database(tmp_path: Path, connection: str, caplog: pytest.LogCaptureFixture) -> None:
    conf = configuration(tmp_path, connection)
    for operation in (Database(conf).neighbors, lambda: migration.sync(conf), lambda: migration.version(conf)):
        with pytest.raises(exceptions.DatabaseUnavailable) as caught:
            operation()
        text = str(caught.value)
        assert "\n" not in text
        assert "u:s3kr3t" not in text
        assert connection.partition("@")[2] in text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_errors_never_quote_the_values_of_statements(tmp_path: Path) -> None:
    conf = configuration(tmp_path, f"sqlite:///{tmp_path}/cells.sqlite")
    assert engine.facade(conf).writer.get_engine().hide_parameters


def test_connection_parameters_of_the_operator_take_precedence(tmp_path: Path) -> None:
    conf = configuration(
        tmp_path, "mysql://u@h/cells?read_timeout=9", connection_parameters="connect_timeout=1&charset=latin1"
    )
    url = engine.facade(conf).writer.get_engine().url
    assert dict(url.query) == {
        "read_timeout": "9",
        "connect_timeout": "1",
        "charset": "latin1",
        "write_timeout": str(engine.STATEMENT_TIMEOUT_SECONDS),
    }


def test_errors_that_oslo_db_logs_are_shown_when_debugging(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("oslo_db.sqlalchemy.exc_filters")
    log.warning("wrapped")
    assert not caplog.records
    caplog.set_level(logging.DEBUG, log.name)
    log.warning("wrapped")
    assert [record.message for record in caplog.records] == ["wrapped"]


def test_options_of_a_second_database(tmp_path: Path) -> None:
    conf = configuration(
        tmp_path,
        "mysql://u@h/cells",
        connection_parameters="read_timeout=9",
        slave_connection="mysql+pymysql://u@replica/cells",
        max_pool_size="3",
    )
    address = engine.Address("postgresql://u:s3kr3t@other/cells", "[x] y")
    assert "s3kr3t" not in repr(address)
    facade = engine.facade(conf, address=address)
    for found in (facade.writer.get_engine(), facade.async_.reader.get_engine()):
        assert found.url.host == "other"
        assert "read_timeout" not in found.url.query
        assert found.pool.size() == 3
    with pytest.raises(exceptions.ConfigurationError, match=r"\[x\] y"):
        engine.facade(conf, address=engine.Address("other", "[x] y"))


def test_a_new_file_of_sqlite_is_private(tmp_path: Path) -> None:
    """(case H5)"""
    path = tmp_path / "new.sqlite"
    use(path, tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("mode", "becomes"), [(0o644, 0o640), (0o660, 0o660), (0o600, 0o600)])
def test_other_users_lose_access_to_an_existing_file(tmp_path: Path, mode: int, becomes: int) -> None:
    """(case H5)"""
    path = tmp_path / "old.sqlite"
    path.touch()
    path.chmod(mode)
    use(path, tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == becomes


def use(path: Path, directory: Path) -> None:
    conf = configuration(directory, f"sqlite:///{path}")
    with engine.transaction(engine.facade(conf).reader.connection, conf) as connection:
        connection.exec_driver_sql("SELECT 1")


@pytest.mark.parametrize("password", ["s3kr3t", "x@s3kr3t", "x?s3kr3t", "x#s3kr3t", "x@y/s3kr3t"])
def test_an_address_shows_no_part_of_the_password(password: str) -> None:
    assert "s3kr3t" not in str(engine.Address(f"postgresql://u:{password}@h/cells"))
