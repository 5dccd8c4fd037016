"""The driver ``memory`` beyond the contract: addresses, turns of managers, and wires."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cells import exceptions
from cells.drivers.base import DriverSettings, Target
from cells.drivers.memory import MemoryDriver, Wire, lay_wire
from cells.neighbors.neighbor import Neighbor
from tests.text_message import TextMessage
from tools.polling import poll

MESSAGE = TextMessage("targeted", False, "text")
FANOUT = TextMessage("targeted", True, "text")


def east(bus: str) -> Neighbor:
    return Neighbor("east", f"memory://{bus}/east", is_parent=False, driver="memory")


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
def test_a_cell_that_is_not_started_is_unreachable(
    start: Callable[..., list[str]], sender: MemoryDriver, message: TextMessage
) -> None:
    start("memory://one/west")
    start(None)
    with pytest.raises(exceptions.NeighborUnreachable, match="east") as caught:
        sender.send_message_to_cell(east("one"), message)
    assert caught.value.cell == "east"


def test_a_cell_that_has_stopped_is_unreachable(sender: MemoryDriver) -> None:
    driver = MemoryDriver(DriverSettings(None, "host", "memory://one/east", ("targeted",)))  # type: ignore[arg-type]
    driver.start_servers(lambda _text: None)
    sender.send_message_to_cell(east("one"), MESSAGE)
    driver.stop_servers()
    with pytest.raises(exceptions.NeighborUnreachable):
        sender.send_message_to_cell(east("one"), MESSAGE)


class Twice:
    """A wire on which each message arrives twice, when the test says so."""

    def __init__(self) -> None:
        self.deliveries: list[Callable[[], None]] = []

    def carry(self, cell: Target, deliver: Callable[[], None]) -> None:
        self.deliveries.append(deliver)

    def deliver(self) -> None:
        for deliver in self.deliveries:
            deliver()
            deliver()


class Broken:
    """A wire that takes nothing."""

    def carry(self, cell: Target, deliver: Callable[[], None]) -> None:
        raise exceptions.NeighborUnreachable("It is cut.", cell=cell.name)


@pytest.fixture
def lay() -> Iterator[Callable[[str, Wire], None]]:
    """Puts a wire between api and east of a bus, until the end of the test."""
    buses: list[str] = []

    def lay_one(bus: str, wire: Wire) -> None:
        buses.append(bus)
        lay_wire(f"memory://{bus}/api", f"memory://{bus}/east", wire)

    yield lay_one
    for bus in buses:
        lay_wire(f"memory://{bus}/api", f"memory://{bus}/east", None)


def api(bus: str) -> MemoryDriver:
    return MemoryDriver(DriverSettings(None, "host", f"memory://{bus}/api", ("targeted",)))  # type: ignore[arg-type]


def test_a_wire_decides_when_and_how_often_a_message_arrives(
    start: Callable[..., list[str]], lay: Callable[[str, Wire], None]
) -> None:
    received, wire = start("memory://one/east"), Twice()
    lay("one", wire)
    api("one").send_message_to_cell(east("one"), MESSAGE)
    assert len(wire.deliveries) == 1
    assert received == []
    wire.deliver()
    poll(lambda: received == ["text", "text"], "it arrives twice")


def test_a_wire_carries_the_messages_from_one_cell_to_one_other(
    start: Callable[..., list[str]], sender: MemoryDriver, lay: Callable[[str, Wire], None]
) -> None:
    one, two = start("memory://one/east"), start("memory://two/east")
    lay("one", Broken())
    with pytest.raises(exceptions.NeighborUnreachable, match="cut"):
        api("one").send_message_to_cell(east("one"), MESSAGE)
    sender.send_message_to_cell(east("one"), MESSAGE)
    api("one").send_message_to_cell(east("two"), MESSAGE)
    poll(lambda: (one, two) == (["text"], ["text"]), "both arrive")


def test_messages_are_delivered_directly_after_a_wire_is_removed(
    start: Callable[..., list[str]], lay: Callable[[str, Wire], None]
) -> None:
    received = start("memory://one/east")
    lay("one", Broken())
    lay_wire("memory://one/api", "memory://one/east", None)
    lay_wire("memory://one/api", "memory://one/east", None)
    api("one").send_message_to_cell(east("one"), MESSAGE)
    poll(lambda: received == ["text"], "it arrives")


def test_cell_may_have_any_url(start: Callable[..., list[str]], sender: MemoryDriver) -> None:
    received = start("zmq+ipc:///run/cells/east")
    row = Neighbor("east", "zmq+ipc:///run/cells/east", is_parent=False, driver="memory")
    sender.send_message_to_cell(row, MESSAGE)
    poll(lambda: received == ["text"], "it arrives")


def items(*texts: str) -> list[TextMessage]:
    return [TextMessage("targeted", False, text, version="1.3", item={"text": text, "n": [1]}) for text in texts]


def test_messages_of_a_batch_arrive_together_as_copies(
    start: Callable[..., list[object]], sender: MemoryDriver
) -> None:
    received = start("memory://one/east")
    sent = items("1", "2")
    sender.send_messages_to_cell(east("one"), sent)
    poll(lambda: received, "they arrive")
    assert received == [[message.item for message in sent]]
    (came,) = received
    assert isinstance(came, list)
    assert sent[0].item is not None
    assert came[0] is not sent[0].item
    assert came[0]["n"] is not sent[0].item["n"]


def test_a_wire_carries_one_message_at_a_time_so_that_a_fault_can_hit_each(
    start: Callable[..., list[object]], lay: Callable[[str, Wire], None]
) -> None:
    received, wire = start("memory://one/east"), Twice()
    lay("one", wire)
    api("one").send_messages_to_cell(east("one"), items("1", "2"))
    assert len(wire.deliveries) == 2
    del wire.deliveries[0]
    wire.deliver()
    poll(lambda: len(received) == 2, "the other one arrives")
    assert [came[0]["text"] for came in received if isinstance(came, list)] == ["2", "2"]


def test_a_wire_that_is_cut_takes_none_of_them(lay: Callable[[str, Wire], None]) -> None:
    lay("one", Broken())
    with pytest.raises(exceptions.NeighborUnreachable, match="cut"):
        api("one").send_messages_to_cell(east("one"), items("1", "2"))


def test_a_message_for_one_manager_goes_to_no_other(sender: MemoryDriver) -> None:
    managers: dict[str, list[object]] = {"a": [], "b": []}
    drivers = []
    for name, received in managers.items():
        driver = MemoryDriver(DriverSettings(None, name, "memory://one/east", ("targeted",)))  # type: ignore[arg-type]
        driver.start_servers(received.append)
        drivers.append(driver)
    try:
        for number in range(4):
            sender.send_message_to_cell(east("one"), TextMessage("targeted", False, str(number), server="b"))
        poll(lambda: len(managers["b"]) == 4, "they arrive")
        assert managers == {"a": [], "b": ["0", "1", "2", "3"]}
    finally:
        for driver in drivers:
            driver.stop_servers()


def test_a_manager_that_is_gone_is_no_failure_of_a_cell_that_has_others(
    start: Callable[..., list[object]], sender: MemoryDriver
) -> None:
    received = start("memory://one/east")
    with pytest.raises(exceptions.ManagerGone) as caught:
        sender.send_message_to_cell(east("one"), TextMessage("targeted", False, "lost", server="gone"))
    assert caught.value.cell == "east"
    sender.send_messages_to_cell(east("one"), items("found"))
    poll(lambda: received, "the next one arrives")
    assert len(received) == 1


def test_a_cell_without_managers_is_unreachable(sender: MemoryDriver) -> None:
    with pytest.raises(exceptions.NeighborUnreachable):
        sender.send_message_to_cell(east("one"), TextMessage("targeted", False, "lost", server="gone"))
