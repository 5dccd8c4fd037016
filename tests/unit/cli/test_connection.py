"""The error of a command whose cell has no running manager."""

from __future__ import annotations

from pathlib import Path

import pytest

from cells import conf as cells_conf
from cells import exceptions
from cells.cli import connection
from cells.context import get_admin_context
from cells.db import migration


def test_brokerless_cell_without_a_manager_is_a_manager_timeout(tmp_path: Path) -> None:
    config_file = tmp_path / "cells.conf"
    config_file.write_text(f"[DEFAULT]\ntransport_url = zmq:///\nstate_path = {tmp_path}\n")
    conf = cells_conf.load([config_file])
    migration.sync(conf)
    with pytest.raises(exceptions.ManagerTimeout, match="cells-manager"), connection.to_manager(conf) as api:
        api.status(get_admin_context())
