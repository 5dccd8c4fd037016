"""Options that oslo.messaging reads from the global configuration have effect in a configuration of one's own, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest
from oslo_concurrency import lockutils
from oslo_config import cfg
from oslo_messaging.rpc import dispatcher as rpc_dispatcher

from cells import conf as cells_conf
from cells import exceptions
from cells.rpc import get_rpc_client
from cells.rpcapi import CellsAPI
from cells.transport import open_transport
from cells.transport.opening import register_options
from cells.transport.server import DirectRPCServer, get_server
from tests.cases import each

URL = "rabbit://nowhere/?use_queue_manager=true"


@pytest.fixture(autouse=True)
def _no_lock_path() -> Iterator[None]:
    """Neither before the test, from an earlier one, nor afterwards."""
    cfg.CONF.clear_default("lock_path", group="oslo_concurrency")
    yield
    cfg.CONF.clear_default("lock_path", group="oslo_concurrency")


def configured(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    file = tmp_path / "cells.conf"
    file.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n{text}")
    return cells_conf.load([file])


@pytest.mark.parametrize(
    ("text", "directory"),
    [("", "locks"), ("[oslo_concurrency]\nlock_path = $state_path/elsewhere\n", "elsewhere")],
)
def test_the_queue_manager_locks_in_a_directory_of_a_private_configuration(
    tmp_path: Path, text: str, directory: str
) -> None:
    """(case A3)"""
    open_transport(configured(tmp_path, text), URL).cleanup()
    with lockutils.external_lock("queues"):
        assert [path.name for path in (tmp_path / directory).iterdir()] == ["queues"]


@pytest.mark.parametrize("client", [CellsAPI, lambda transport: get_rpc_client(transport, oslo_messaging.Target())])
def test_the_clients_of_a_service_share_the_directory_of_its_transport(
    tmp_path: Path, client: Callable[[Any], object]
) -> None:
    transport = oslo_messaging.get_rpc_transport(configured(tmp_path, ""), URL)
    client(transport)
    assert lockutils.get_lock_path(cfg.CONF) == str(tmp_path / "locks")
    transport.cleanup()


def test_the_directory_of_the_global_configuration_stays(tmp_path: Path) -> None:
    cfg.CONF.set_default("lock_path", str(tmp_path / "global"), group="oslo_concurrency")
    open_transport(configured(tmp_path, ""), URL).cleanup()
    assert lockutils.get_lock_path(cfg.CONF) == str(tmp_path / "global")


def test_a_service_without_any_directory_gets_an_error_that_names_the_option() -> None:
    conf = cfg.ConfigOpts()
    conf([], project="service", default_config_files=[])
    with pytest.raises(exceptions.ConfigurationError, match="lock_path"):
        open_transport(conf, URL)
    open_transport(conf, "rabbit://nowhere/").cleanup()


class Transport:
    """A transport that no message comes through."""

    def __init__(self, *, has_pings: bool) -> None:
        self.conf = cells_conf.load([])
        register_options(self.conf)
        self.conf.set_override("rpc_ping_enabled", has_pings)

    def _require_driver_features(self, **_: object) -> None:
        """Called by the library."""


@each("has_pings", [True, False])
def test_a_server_answers_pings_if_its_own_configuration_says_so(*, has_pings: bool) -> None:
    """(case A4)"""
    target = oslo_messaging.Target(topic="cells", server="host")
    server: DirectRPCServer = get_server(Transport(has_pings=has_pings), target, [])
    found = [type(endpoint) for endpoint in server.dispatcher.endpoints]
    assert found == [rpc_dispatcher.PingEndpoint] * has_pings
