"""``cells neighbor status``: the state of the neighbors, as seen by the manager."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions
from tests.cases import each
from tests.unit.cli.conftest import Cells, Manager

UNSEEN = {
    "transport_url": "rabbit://u:***@h/v",
    "driver": "rpc",
    "last_seen_seconds": None,
    "version": None,
    "spoken": "1.0",
    "since_seconds": None,
    "unanswered": 0,
    "round_trip_seconds": None,
    "answered_by": None,
    "way": "",
    "seen_by": "h1",
    "problem": None,
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


def test_a_row_for_each_neighbor_and_the_problems_on_stderr(cells: Cells, manager: Manager) -> None:
    """Case D1."""
    probed = {"since_seconds": 7.5, "unanswered": 2, "round_trip_seconds": 0.01, "answered_by": "h9", "way": "in"}
    problem = "az1 does not know this cell: register it there."
    manager.seen = [SEEN[0], {**SEEN[1], **probed, "problem": problem}]
    shown = cells.degraded("neighbor", "status", "-f", "json")
    assert shown.err == f"cells: {problem}\n"
    up, mute = shown.value
    assert (up["name"], up["type"], up["state"], up["last_seen_seconds"], up["problem"]) == (
        *("api", "parent", "up", 0.25),
        None,
    )
    assert {"name": "az1", "type": "child", **probed, "problem": problem, **LOST}.items() <= mute.items()
    assert set(up) == set(mute)


def test_the_status_is_0_if_every_neighbor_is_up(cells: Cells, manager: Manager) -> None:
    manager.seen = SEEN[:1]
    assert cells.succeed("neighbor", "status", "-f", "value").out.startswith("api parent rpc up")
    manager.seen = SEEN[2:]
    assert cells.degraded("neighbor", "status").err == ""


def test_a_cell_that_is_not_registered_has_a_row(cells: Cells, manager: Manager) -> None:
    """Case D2."""
    manager.seen = [{**UNSEEN, "name": "x", "is_parent": None, "driver": None, "state": "unregistered", "problem": "x"}]
    (row,) = cells.degraded("neighbor", "status", "-f", "json").value
    assert (row["name"], row["type"], row["state"]) == ("x", "", "unregistered")


def test_the_table_has_a_line_for_each_kind_of_loss(cells: Cells, manager: Manager) -> None:
    manager.seen = SEEN[1:2]
    assert "cast (NeighborUnreachable): 3 lost, 1 may have arrived, 5 told" in cells.degraded("neighbor", "status").out


LINK = {"state": "connected", "since": 0.0, "problem": "", "managers": [], "through": ["h2"], "queue": {}}
MANAGERS = [{"host": "e1", "address": "10.0.0.5:5680"}, {"host": "e2\n", "address": "10.0.0.6:5680"}]


@each(
    ("link", "lines"),
    [
        (None, [""]),
        ({**LINK, "state": "reconnecting", "through": []}, ["reconnecting"]),
        (LINK, ["connected", "through h2"]),
        # The connections of this manager count first; a neighbor has named its managers.
        ({**LINK, "managers": MANAGERS}, ["connected", "e1 (10.0.0.5:5680)", r"e2\n (10.0.0.6:5680)"]),
    ],
)
def test_the_column_of_a_direct_link(cells: Cells, manager: Manager, link: Any, lines: list[str]) -> None:
    manager.seen = [{**SEEN[0], "link": link}]
    table = cells.succeed("neighbor", "status", "-c", "link").out.splitlines()
    assert [line.strip("| ") for line in table[3:-1]] == lines
    [row] = cells.succeed("neighbor", "status", "-f", "json").value
    assert row["link"] == link


@pytest.mark.usefixtures("manager")
def test_a_cell_without_neighbors(cells: Cells) -> None:
    assert cells.succeed("neighbor", "status", "-f", "json").value == []


def test_a_manager_that_does_not_answer(cells: Cells, manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    def neighbors(_: object) -> None:
        raise exceptions.ManagerTimeout("The manager of this cell did not answer.", timeout_seconds=1.0)

    monkeypatch.setattr(manager, "neighbors", neighbors)
    assert "did not answer" in cells.fail("neighbor", "status")
