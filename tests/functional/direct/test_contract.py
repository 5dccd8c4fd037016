"""The contract of a driver over direct links, on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from oslo_config import cfg

from cells import conf as cells_conf
from cells import exceptions
from cells.drivers.base import BaseCellsDriver
from cells.drivers.direct.driver import DirectDriver
from cells.neighbors.neighbor import Neighbor
from tests.contract.suite import Bus, DriverContract, message, opened
from tests.unit.drivers.direct.identities import Cell
from tools.polling import poll

#: A neighbor is down so long after its last connection.
RECONNECT_SECONDS = 0.3


class DirectBus(Bus):
    """Managers of the cell "target" that listen, and drivers of the cell "source" that dial them."""

    def __init__(self, directory: Path) -> None:
        super().__init__(DirectDriver, "direct", "", "")
        now = datetime.now(timezone.utc)
        self._directory = directory
        self._cells = {name: Cell(directory, name, now=now) for name in ("target", "source", "nowhere")}
        self.unreachable = self._row("nowhere", "127.0.0.1:1")
        self.target = self._row("target")
        self._receiving: list[DirectDriver] = []

    def _row(self, name: str, *addresses: str) -> Neighbor:
        return Neighbor(
            name,
            "",
            is_parent=False,
            driver="direct",
            addresses=",".join(addresses) or None,
            certificates=self._cells[name].pem,
        )

    def driver(self, name: str = "") -> BaseCellsDriver:
        self._conf = self._conf_of("target")
        driver = super().driver(name)
        assert isinstance(driver, DirectDriver)
        driver.set_neighbors([self._row("source")])
        self._receiving.append(driver)
        return driver

    def sender(self) -> BaseCellsDriver:
        """Return a driver with a connection to each manager that runs."""
        addresses = [address for driver in self._receiving for address in driver.addresses]
        self.target = self._row("target", *addresses)
        self._conf = self._conf_of("source")
        driver = super().driver()
        driver.set_neighbors([self.target, self.unreachable])
        driver.start_servers(lambda *_: None)
        poll(lambda: driver.receivers(self.target) == len(addresses), "all managers are connected")
        return driver

    def _conf_of(self, name: str) -> cfg.ConfigOpts:
        cell = self._cells[name]
        file = self._directory / f"{name}.conf"
        listen = "127.0.0.1:0" if name == "target" else ""
        file.write_text(
            f"[cells]\nname = {name}\n[cells_direct]\nlisten = {listen}\ncertificate = {cell.certificate_file}\n"
            f"key = {cell.key_file}\nreconnect_wait = {RECONNECT_SECONDS}\nheartbeat = 20\n"
        )
        return cells_conf.load([file])


class TestDirectDriver(DriverContract):
    """Driver over direct links."""

    @pytest.fixture
    def bus(self, tmp_path: Path) -> Iterator[Bus]:
        yield from opened(DirectBus(tmp_path))

    def test_servers_may_be_restarted(self, bus: Bus) -> None:
        manager = bus.manager()
        manager.driver.stop_servers()
        manager.start()
        # It listens at another port now.
        bus.sender().send_message_to_cell(bus.target, message("again"))
        manager.wait_for("again")

    @pytest.mark.parametrize("name", ["never-was-there", "ü" * 255, "#", "{}"], ids=lambda name: ascii(name[:5]))
    def test_an_answer_for_a_manager_without_a_connection_reaches_another_one(self, bus: Bus, name: str) -> None:
        manager, sender = bus.manager(), bus.sender()
        sender.send_message_to_cell(bus.target, message("answer", "response", server=name))
        # Any manager may take a request, so the name is wrong.
        with pytest.raises(exceptions.ManagerGone) as caught:
            sender.send_message_to_cell(bus.target, message("lost", server=name))
        assert caught.value.cell == bus.target.name
        sender.send_message_to_cell(bus.target, message("found", "response"))
        manager.wait_for("answer", "found")

    # The manager that gets such an answer hands it over, or drops it.
    test_stopped_manager_does_not_make_the_neighbor_unreachable = None  # type: ignore[assignment]
    test_impossible_manager_name_does_not_make_the_neighbor_unreachable = None  # type: ignore[assignment]
    # A certificate belongs to one neighbor.
    test_two_neighbors_may_share_a_broker = None  # type: ignore[assignment]
    # The messages of a cast are handed to the managers in turn, and share frames as they come.
    test_messages_of_one_cast_reach_exactly_one_manager_in_order = None  # type: ignore[assignment]
    test_cast_of_several_messages_may_be_a_fanout = None  # type: ignore[assignment]
    test_items_arrive_unchanged = None  # type: ignore[assignment]
