"""The budget of each neighbor: messages and bytes, apart from those of others."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.counters import Counters
from cells.routing.budgets import ForeignLimits, NeighborBudgets
from cells.routing.pending import PendingCalls
from cells.routing.reply import Reply
from cells.routing.waiting_call import Wait
from tests.cases import each
from tests.unit.routing.test_pending import Missing, Taken


def budgets(max_calls: int = 2, max_bytes: int = 100) -> NeighborBudgets:
    return NeighborBudgets(ForeignLimits(max_calls, max_bytes, 60.0), Counters())


def test_each_neighbor_has_its_own_budget() -> None:
    """(case G1)."""
    spent = budgets()
    for neighbor in ("east", "west"):
        spent.take(neighbor, 10)
        spent.take(neighbor, 10)
        with pytest.raises(exceptions.ManagerBusy):
            spent.take(neighbor, 10)
    spent.give_back("east", 10)
    spent.take("east", 10)
    assert spent.total == 4


def test_bytes_count_too_and_one_message_always_fits() -> None:
    """(case G1)."""
    spent = budgets()
    spent.take("east", 1000)
    with pytest.raises(exceptions.ManagerBusy):
        spent.take("east", 1)
    spent.give_back("east", 1000)
    spent.take("east", 50)
    spent.take("east", 50)


def expect(table: PendingCalls, message_id: str, wait: Wait) -> list[Reply]:
    taken: list[Reply] = []
    table.expect(message_id, ["east"], wait, Taken(taken.append), Missing())
    return taken


def test_calls_of_neighbors_and_of_this_cell_take_no_room_from_each_other() -> None:
    """(case G1)."""
    table = PendingCalls(1, Counters(), budgets=budgets(1))
    for neighbor in ("", "top", "other"):
        expect(table, f"of {neighbor}", Wait(60.0, neighbor=neighbor))
        with pytest.raises(exceptions.ManagerBusy):
            expect(table, f"more of {neighbor}", Wait(60.0, neighbor=neighbor))
    for number in range(3):
        expect(table, f"budgeted {number}", Wait(60.0, is_budgeted=True))
    assert table.add("of top", "east", Reply())
    expect(table, "again", Wait(60.0, neighbor="top"))
    table.stop()
    assert len(table) == 0


@each(("wait", "is_waited_for"), [(Wait(60.0), True), (Wait(60.0, neighbor="top"), False)])
def test_stop_waits_for_the_calls_of_this_cell_alone(wait: Wait, is_waited_for: bool) -> None:
    """(case G1)."""
    table = PendingCalls(1, Counters(), budgets=budgets())
    expect(table, "m", wait)
    assert table.wait_until_idle(0.01) is not is_waited_for
