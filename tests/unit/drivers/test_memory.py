"""What the driver ``memory`` does beyond the contract: who is where, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cells import exceptions
from cells.db.rows import NeighborRow
from cells.drivers.base import DriverSettings
from cells.drivers.memory import MemoryDriver
from cells.messages import SealedMessage
from tools.polling import poll

MESSAGE = SealedMessage("targeted", False, "text")
FANOUT = SealedMessage("targeted", True, "text")


def east(bus: str) -> NeighborRow:
    return NeighborRow("east", f"memory://{bus}/east", is_parent=False, driver="memory")


@pytest.fixture
def start() -> Iterator[Callable[..., list[str]]]:
    """Starts a manager of a cell and gives the list that its messages go to."""
    drivers: list[MemoryDriver] = []

    def start_one(url: str | None) -> list[str]:
        received: list[str] = []
        driver = MemoryDriver(DriverSettings(None, "host", url, ("targeted",)))  # type: ignore[arg-type]
        driver.start_servers(received.append)
        drivers.append(driver)
        return received

    yield start_one
    for driver in drivers:
        driver.stop_servers()


@pytest.fixture
def sender() -> MemoryDriver:
    return MemoryDriver(DriverSettings(None, "host", None, ("targeted",)))  # type: ignore[arg-type]


def test_cells_of_one_name_on_two_buses_are_two_cells(start: Callable[..., list[str]], sender: MemoryDriver) -> None:
    one, two = start("memory://one/east"), start("memory://two/east")
    sender.send_message_to_cell(east("one"), MESSAGE)
    poll(lambda: one == ["text"], "it arrives")
    assert two == []


def test_managers_of_a_cell_take_turns(start: Callable[..., list[str]], sender: MemoryDriver) -> None:
    managers = [start("memory://one/east") for _ in range(3)]
    for _ in range(9):
        sender.send_message_to_cell(east("one"), MESSAGE)
    poll(lambda: [len(received) for received in managers] == [3, 3, 3], "each takes its turn")


@pytest.mark.parametrize("message", [MESSAGE, FANOUT])
def test_cell_that_is_not_started_can_not_be_reached(
    start: Callable[..., list[str]], sender: MemoryDriver, message: SealedMessage
) -> None:
    start("memory://one/west")
    start(None)
    with pytest.raises(exceptions.NeighborUnreachable, match="east") as caught:
        sender.send_message_to_cell(east("one"), message)
    assert caught.value.cell == "east"


def test_cell_that_has_stopped_can_not_be_reached(sender: MemoryDriver) -> None:
    driver = MemoryDriver(DriverSettings(None, "host", "memory://one/east", ("targeted",)))  # type: ignore[arg-type]
    driver.start_servers(lambda _text: None)
    sender.send_message_to_cell(east("one"), MESSAGE)
    driver.stop_servers()
    with pytest.raises(exceptions.NeighborUnreachable):
        sender.send_message_to_cell(east("one"), MESSAGE)
