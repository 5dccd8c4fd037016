"""DirectDriver: without a direct link, nothing of it is imported; the first one makes it work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cells import conf as cells_conf
from cells import exceptions
from cells.drivers.base import DriverSettings
from cells.drivers.direct.driver import DirectDriver
from cells.neighbors.neighbor import Neighbor
from tests.text_message import TextMessage
from tests.unit.drivers.direct.identities import Cell
from tools.polling import poll

RPC = Neighbor("west", "rabbit://h/v", is_parent=False, driver="rpc")
#: the modules that a manager without direct links does not need
SLOW = ("cells.drivers.direct.node", "cells.drivers.direct.direct_links", "cells.drivers.direct.tls")


def test_a_manager_without_direct_links_does_not_import_them() -> None:
    script = (
        "import sys, cells.service\n"
        "from cells.drivers.direct import driver\n"
        f"print([name for name in {SLOW} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.fixture
def driver(tmp_path: Path) -> DirectDriver:
    cell = Cell(tmp_path, "api")
    file = tmp_path / "cells.conf"
    file.write_text(
        f"[cells]\nname = api\n[cells_direct]\ncertificate = {cell.certificate_file}\nkey = {cell.key_file}\n"
    )
    return DirectDriver(DriverSettings(cells_conf.load([file]), "h1", None, ("targeted",)))


def send(driver: DirectDriver, row: Neighbor) -> list[exceptions.CellsError | None]:
    outcomes: list[exceptions.CellsError | None] = []
    driver.post(row, [(TextMessage("targeted", False, ""), outcomes.append)])
    return outcomes


def test_the_first_neighbor_with_a_direct_link_may_come_after_the_start(driver: DirectDriver, tmp_path: Path) -> None:
    east = Neighbor("east", "", is_parent=False, driver="direct", certificates=Cell(tmp_path, "east").pem)
    driver.start_servers(lambda *_: None)
    driver.set_neighbors([RPC])
    assert driver.link_status(RPC) is None
    [refused] = send(driver, east)
    assert isinstance(refused, exceptions.NeighborUnreachable)
    try:
        driver.set_neighbors([RPC, east])
        state = poll(lambda: driver.link_status(east), "the link")
        assert state["state"] == "reconnecting"
        # It waits for a connection.
        assert send(driver, east) == []
    finally:
        driver.stop_servers()
        driver.close()


def test_a_driver_that_stops_makes_no_links(driver: DirectDriver, tmp_path: Path) -> None:
    east = Neighbor("east", "", is_parent=False, driver="direct", certificates=Cell(tmp_path, "east").pem)
    driver.start_servers(lambda *_: None)
    driver.stop_servers()
    driver.set_neighbors([east])
    assert driver.link_status(east) is None
    driver.close()
    driver.close()
