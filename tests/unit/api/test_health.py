"""The verdict of the doctor, and the versions on the links."""

from __future__ import annotations

import threading
from typing import Any

from werkzeug.test import Client

from cells import exceptions
from cells.rpcapi import CellAnswer
from tests.cases import each
from tests.unit.api.conftest import LINK, REPORT, Manager, get, make_application


def test_doctor_gets_the_time_and_the_extent(conf: Any, manager: Manager) -> None:
    asked: list[tuple[float, bool]] = []

    def examine(seconds: float, is_tree: bool) -> dict[str, Any]:  # the contract
        asked.append((seconds, is_tree))
        return REPORT

    client = Client(make_application(conf, manager, examine))
    assert get(client, "/v1/doctor").json == {"doctor": REPORT}
    get(client, "/v1/doctor?tree=true&timeout=2")
    assert asked == [(5, False), (2, True)]
    # The manager may be away: that is a finding.
    assert not manager.requests


@each("query", ["tree=maybe", "tree=1", "timeout=0", "timeout=61", "timeout=x"])
def test_wrong_parameters_of_the_doctor(client: Client, query: str) -> None:
    assert get(client, f"/v1/doctor?{query}").status_code == 400


def test_one_examination_runs_at_a_time(conf: Any, manager: Manager) -> None:
    begun, ended = threading.Event(), threading.Event()

    def examine(_seconds: float, _is_tree: bool) -> dict[str, Any]:  # the contract
        begun.set()
        assert ended.wait(10)
        return REPORT

    client = Client(make_application(conf, manager, examine))
    statuses: list[int] = []
    first = threading.Thread(target=lambda: statuses.append(get(client, "/v1/doctor").status_code))
    first.start()
    assert begun.wait(10)
    second = get(client, "/v1/doctor")
    assert (second.status_code, second.headers["Retry-After"]) == (503, "5")
    ended.set()
    first.join(10)
    assert statuses == [200]
    assert get(client, "/v1/doctor").status_code == 200


def test_an_examination_that_fails_is_no_obstacle_for_the_next(conf: Any, manager: Manager) -> None:
    def examine(_seconds: float, _is_tree: bool) -> dict[str, Any]:  # the contract
        raise KeyError("bug")

    client = Client(make_application(conf, manager, examine))
    assert [get(client, "/v1/doctor").status_code for _ in range(2)] == [500, 500]


def test_upgrade_matrix_has_a_row_for_each_cell_and_neighbor(client: Client, manager: Manager) -> None:
    manager.answers["broadcast_call"] = [
        CellAnswer("api", {"reads": "1.4", "links": [LINK, {**LINK, "neighbor": 3, "can_be_raised": "?"}]}),
        CellAnswer("api!west", error=exceptions.CellTimeout("west is silent")),
    ]
    rows = get(client, "/v1/upgrade-matrix?timeout=3").json["upgrade_matrix"]
    values = {key: value for key, value in LINK.items() if key != "is_parent"}
    expected = {"cell": "api", "reads": "1.4", "type": "child", **values}
    assert expected in rows
    assert {**expected, "neighbor": None, "can_be_raised": None} in rows
    assert (rows[-1]["cell"], rows[-1]["neighbor"]) == ("api!west", None)
    assert "west is silent" in rows[-1]["reason"]
    assert manager.last("broadcast_call")[3] == {"timeout": 3}
