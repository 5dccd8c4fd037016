"""MatchMakerSQL on SQLite, and its configuration.  tests/integration/test_matchmakers.py uses database servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from cells import conf as cells_conf
from cells import exceptions
from cells.brokerless.matchmaker.sql import MatchMakerSQL
from tests.unit.brokerless.matchmaker.sql_registry import SQLRegistry
from tests.unit.brokerless.matchmaker.suite import TOPIC, configuration
from tools.polling import poll


def of_service(**options: Any) -> cfg.ConfigOpts:
    """The configuration of a service with its own options in [database]."""
    conf = configuration(**options)
    conf.register_opts([cfg.StrOpt("connection", default="mongodb://h/")], group="database")
    return conf


def test_service_without_database_options(tmp_path: Path) -> None:
    connection = f"sqlite:///{tmp_path}/cells.sqlite"
    SQLRegistry(connection)
    for make in (configuration, of_service):
        maker = MatchMakerSQL(make(matchmaker_connection=connection))
        assert maker.queues(TOPIC) == []
        maker.stop_heartbeat()


@pytest.mark.parametrize("make", [configuration, of_service])
def test_missing_connection_is_a_configuration_error(make: Callable[[], cfg.ConfigOpts]) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="matchmaker_connection"):
        MatchMakerSQL(make())


def test_default_is_the_database_of_the_cell(tmp_path: Path) -> None:
    SQLRegistry(f"sqlite:///{tmp_path}/cells.sqlite")
    path = tmp_path / "cells.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n[cells]\nname = api\n")
    maker = MatchMakerSQL(cells_conf.load([path]))
    maker.register(TOPIC, "host")
    assert maker.queues(TOPIC) == [(TOPIC, "host")]
    maker.stop_heartbeat()


def test_missing_table_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    maker = MatchMakerSQL(configuration(matchmaker_connection=f"sqlite:///{tmp_path}/new.sqlite"))
    with pytest.raises(exceptions.MatchMakerException, match="cells db sync"):
        maker.queues(TOPIC)
    maker.stop_heartbeat()


def test_unavailable_database_is_named_with_the_option_and_without_its_password() -> None:
    maker = MatchMakerSQL(configuration(matchmaker_connection="postgresql://u:s3kr3t@127.0.0.1:1/cells"))
    with pytest.raises(exceptions.MatchMakerException, match=r"\[oslo_messaging_zmq\] matchmaker_connection") as caught:
        maker.queues(TOPIC)
    assert "s3kr3t" not in str(caught.value)
    assert "127.0.0.1:1/cells" in str(caught.value)
    maker.stop_heartbeat()


def test_malformed_connection_is_a_configuration_error() -> None:
    with pytest.raises(exceptions.ConfigurationError, match=r"^\[oslo_messaging_zmq\] matchmaker_connection") as caught:
        MatchMakerSQL(configuration(matchmaker_connection="u:s3kr3t@h"))
    assert "s3kr3t" not in str(caught.value)


def test_file_that_becomes_unusable(tmp_path: Path) -> None:
    path = tmp_path / "cells.sqlite"
    connection = f"sqlite:///{path}"
    SQLRegistry(connection)
    server = MatchMakerSQL(configuration(matchmaker_connection=connection))
    client = MatchMakerSQL(configuration(matchmaker_connection=connection))
    server.register(TOPIC, "host")
    client.start_heartbeat()
    assert client.queues(TOPIC) == [(TOPIC, "host")]
    path.write_bytes(b"no database" * 1000)
    poll(lambda: client._availability.problem, "the outage is noticed")
    assert client.queues(TOPIC) == [(TOPIC, "host")]
    with pytest.raises(exceptions.MatchMakerException):
        client.queues("other")
    server.stop_heartbeat()
    client.stop_heartbeat()
