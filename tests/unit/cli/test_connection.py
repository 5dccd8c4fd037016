"""The error of a command whose cell has no running manager."""

from __future__ import annotations

from pathlib import Path

import pytest

from cells import conf as cells_conf
from cells import exceptions
from cells.cli import connection
from cells.context import get_admin_context
from cells.db import migration
from tools.free_ports import free_ports


def test_brokerless_cell_without_a_manager_is_a_manager_timeout(tmp_path: Path) -> None:
    config_file = tmp_path / "cells.conf"
    config_file.write_text(f"[DEFAULT]\ntransport_url = zmq:///\nstate_path = {tmp_path}\n")
    conf = cells_conf.load([config_file])
    migration.sync(conf)
    with pytest.raises(exceptions.ManagerTimeout, match="cells-manager"), connection.to_manager(conf) as api:
        api.status(get_admin_context())


def test_a_registry_that_is_away_is_the_reason(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    config_file = tmp_path / "cells.conf"
    config_file.write_text(
        f"[DEFAULT]\ntransport_url = zmq:///\nstate_path = {tmp_path}\n[oslo_messaging_zmq]\nmatchmaker = redis\n"
        f"matchmaker_connection = redis://127.0.0.1:{port}/0\n"
    )
    conf = cells_conf.load([config_file])
    with (
        pytest.raises(exceptions.ManagerTimeout, match="matchmaker_connection") as caught,
        connection.to_manager(conf) as api,
    ):
        api.status(get_admin_context())
    assert "cells-manager" not in caught.value.message
