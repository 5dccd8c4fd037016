"""``cells neighbor status``: the state of the neighbors, as seen by the manager."""

from __future__ import annotations

import pytest

from cells import exceptions
from tests.unit.cli.conftest import Cells, Manager

UNSEEN = {
    "transport_url": "rabbit://u:***@h/v",
    "driver": "rpc",
    "last_seen_seconds": None,
    "version": None,
    "spoken": "1.0",
    "lost": 0,
    "may_have_arrived": 0,
    "in_flight": 0,
    "losses": [],
}
LOSS = {"kind": "cast", "reason": "NeighborUnreachable", "lost": 3, "may_have_arrived": 1, "told": 5}
LOST = {"lost": 3, "may_have_arrived": 1, "in_flight": 2, "losses": [LOSS]}
SEEN = [
    {**UNSEEN, "name": "api", "is_parent": True, "state": "up", "last_seen_seconds": 0.25, "version": "1.0"},
    {
        **UNSEEN,
        "name": "az1",
        "is_parent": False,
        "state": "mute",
        "last_seen_seconds": 301.5,
        "version": "1.0",
        **LOST,
    },
    {**UNSEEN, "name": "az2", "is_parent": False, "state": "unknown", "driver": "memory"},
]


def test_a_line_for_each_neighbor(cells: Cells, manager: Manager) -> None:
    manager.seen = SEEN
    assert cells.succeed("neighbor", "status", "-f", "value").out.splitlines() == [
        "api parent rpc up 0.25 1.0 1.0 0 0 0 []",
        f"az1 child rpc mute 301.5 1.0 1.0 3 1 2 {[LOSS]}",
        "az2 child memory unknown None None 1.0 0 0 0 []",
    ]


def test_json_has_the_names_of_the_columns(cells: Cells, manager: Manager) -> None:
    manager.seen = SEEN[1:2]
    assert cells.succeed("neighbor", "status", "-f", "json").value == [
        {
            "name": "az1",
            "type": "child",
            "driver": "rpc",
            "state": "mute",
            "last_seen_seconds": 301.5,
            "version": "1.0",
            "spoken": "1.0",
            **LOST,
        }
    ]


def test_the_table_has_a_line_for_each_kind_of_loss(cells: Cells, manager: Manager) -> None:
    manager.seen = SEEN[1:2]
    assert "cast (NeighborUnreachable): 3 lost, 1 may have arrived, 5 told" in cells.succeed("neighbor", "status").out


@pytest.mark.usefixtures("manager")
def test_a_cell_without_neighbors(cells: Cells) -> None:
    assert cells.succeed("neighbor", "status", "-f", "json").value == []


def test_a_manager_that_does_not_answer(cells: Cells, manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    def neighbors(_: object) -> None:
        raise exceptions.ManagerTimeout("The manager of this cell did not answer.", timeout_seconds=1.0)

    monkeypatch.setattr(manager, "neighbors", neighbors)
    assert "did not answer" in cells.fail("neighbor", "status")
