"""When neighbors are pinged, and what a manager finds on its own topic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cells import exceptions
from cells.failure import lacks_method
from cells.manager.namesakes import problem_with
from cells.manager.prober import MAX_PER_SECOND, NOVA_SECONDS
from cells.messages import Response
from cells.neighbors import Neighbor, State
from cells.worker_threads import Runtime
from tests.cases import each
from tests.clock import Clock
from tests.unit.endpoints.cells_in_memory import CellInMemory
from tools.polling import poll

INTERVAL, MUTE_AFTER = 10.0, 300.0


class Probed:
    """The cell east, and the neighbors that it has probed in place of sending."""

    def __init__(self, cell: CellInMemory, clock: Clock) -> None:
        self.cell, self.clock, self.prober = cell, clock, cell.service.prober

    def probes(self) -> list[str]:
        """Return the neighbors that are probed at one look, by the number of their probes."""
        before = {name: self._count(name) for name in self.cell.table.snapshot().all()}
        self.prober.probe_due()
        return [name for name in before if self._count(name) > before[name]]

    def _count(self, name: str) -> int:
        heard = self.cell.table.heard(name)
        assert heard is not None
        return heard.probe.unanswered

    def answer(self, name: str, response: Response) -> None:
        self.prober._take(name, self.clock(), response)


@pytest.fixture
def probed() -> Iterator[Probed]:
    clock = Clock()
    with CellInMemory("east", children=["az1", "az2"], runtime=Runtime(clock=clock)) as cell:
        yield Probed(cell, clock)


def test_each_neighbor_is_probed_once_an_interval(probed: Probed) -> None:
    assert probed.probes() == []
    probed.clock.advance(INTERVAL)
    assert probed.probes() == ["az1", "az2"]
    assert probed.probes() == []
    probed.clock.advance(INTERVAL)
    assert probed.probes() == ["az1", "az2"]


def test_many_neighbors_are_probed_one_after_the_other(probed: Probed) -> None:
    count = 20 * MAX_PER_SECOND
    rows = [Neighbor(f"c{n}", f"memory://x/c{n}", is_parent=False, driver="memory") for n in range(count)]
    probed.cell.table.replace(rows)
    probed.probes()
    found: list[str] = []
    for _ in range(41):
        probed.clock.advance(1.0)
        now = probed.probes()
        assert len(now) <= MAX_PER_SECOND
        found += now
    assert len(set(found)) == count
    assert len(found) <= 2 * count


def test_a_cell_of_nova_is_pinged_seldom_or_never(probed: Probed) -> None:
    """Case H6."""
    row = Neighbor("nova", "memory://x/nova", is_parent=False, driver="memory", version_cap="newton")
    probed.cell.table.replace([*probed.cell.table.snapshot().all().values(), row])
    probed.answer("az1", Response("az1", error=exceptions.RemoteError("no ping", exc_type="AttributeError")))
    for _ in range(5):
        probed.clock.advance(INTERVAL)
        assert "nova" not in probed.probes()
        assert "az1" not in probed.probes()
    probed.clock.advance(NOVA_SECONDS)
    assert "az1" in probed.probes()
    probed.answer("az1", Response("az1", error=exceptions.UnknownMethod("no ping")))
    probed.clock.advance(INTERVAL)
    assert "az1" not in probed.probes()
    probed.cell.call("ping", "az1!east")  # it knows ping now, since it pings
    probed.clock.advance(INTERVAL)
    assert "az1" in probed.probes()


class Broker:
    """Drivers of which each counts one manager at the neighbor's broker."""

    def __init__(self) -> None:
        self.counted: list[str] = []
        #: neighbors whose brokers do not let this cell look
        self.forbidden: tuple[str, ...] = ()

    def get(self, _: str) -> Broker:
        return self

    def receivers(self, row: Neighbor) -> int:
        self.counted.append(row.name)
        if row.name in self.forbidden:
            raise exceptions.NeighborUnreachable("access refused", cell=row.name)
        return 1


def test_a_neighbor_whose_managers_cannot_be_counted_hides_no_other(probed: Probed) -> None:
    broker: Any = Broker()
    broker.forbidden = ("az1",)
    probed.prober.drivers = broker
    for _ in range(3):
        probed.probes()
        probed.clock.advance(INTERVAL)
    probed.probes()

    def receivers() -> int | None:
        heard = probed.cell.table.heard("az2")
        return None if heard is None else heard.probe.receivers

    poll(lambda: receivers() == 1, "the managers of az2 are counted")
    assert broker.counted[:2] == ["az1", "az2"]


def test_the_managers_of_a_parent_of_nova_that_sends_nothing_are_counted(probed: Probed) -> None:
    broker: Any = Broker()
    probed.prober.drivers = broker
    table = probed.cell.table
    table.replace([Neighbor("nova", "memory://x/nova", is_parent=True, driver="memory", version_cap="newton")])
    probed.probes()
    for _ in range(3):
        probed.clock.advance(INTERVAL)
        probed.probes()
    assert broker.counted == []
    probed.clock.advance(MUTE_AFTER)
    for _ in range(3):
        probed.probes()
    poll(lambda: table.state("nova") is State.UP, "nova has been counted")
    assert broker.counted == ["nova"]


@each(
    ("error", "expected"),
    [
        (exceptions.UnknownMethod("x"), True),
        (exceptions.RemoteError("no attribute ping", exc_type="AttributeError"), True),
        (AttributeError("no attribute ping"), True),
        (AttributeError("another bug"), False),
        (exceptions.RemoteError("ping", exc_type="ValueError"), False),
        (exceptions.CellTimeout("ping"), False),
        (None, False),
    ],
)
def test_a_cell_without_the_method_is_recognized_however_its_error_is_rebuilt(error: Any, expected: bool) -> None:
    """Case D7."""
    assert lacks_method(error, "ping") is expected


@each(
    ("others", "words"),
    [
        ([], ""),
        ([{"name": "east", "host": "h2"}], ""),
        ([{}], ""),
        ([{"name": "east", "host": "h2"}, {"name": "west", "host": "h9"}], "transport_url"),
        ([{"name": "east", "host": "h1", "pid": 7}], "[DEFAULT] host"),
    ],
)
def test_another_cell_or_the_same_host_on_the_own_topic_is_an_error(others: list[dict[str, Any]], words: str) -> None:
    """Case D4."""
    problem = problem_with(others, "east", "h1")
    assert words in problem
    assert bool(problem) is bool(words)


def test_a_probe_that_is_answered_in_the_name_of_another_neighbor(probed: Probed) -> None:
    probed.clock.advance(INTERVAL)
    probed.prober._probe("az1")
    probe_id = next(iter(probed.prober._probe_ids.values()))
    probed.cell.cell.resolve("of no probe", "az2", [], [])
    probed.cell.cell.resolve(probe_id, "az2", [], [])
    heard = {name: probed.cell.table.heard(name) for name in ("az1", "az2")}
    assert {name: found.probe.other_name for name, found in heard.items() if found} == {"az1": "az2", "az2": ""}
