"""Endpoint ping: the description of a cell."""

from __future__ import annotations

import json
import os
from importlib import metadata

from cells import versions
from tests.unit.endpoints.cells_in_memory import CellInMemory


def test_ping_describes_the_cell() -> None:
    with CellInMemory("east", parents=["api"], children=["az1", "az2"]) as cell:
        cell.table.record("api", description={"path": "top!api"})
        cell.table.record("az1", description={"subtree": {"rack": {}}})
        answer = cell.call("ping", "api!east")
        digest = cell.table.snapshot().digest
    time = answer.pop("time")
    assert isinstance(time, float)
    assert answer == {
        "name": "east",
        "host": "h1",
        "pid": os.getpid(),
        "version": versions.CURRENT,
        "release": metadata.version("cells-intercell"),
        "cell": "top!api!east",
        "path": "top!api!east",
        "is_placed": True,
        "rows": digest,
        "subtree": {"az1": {"rack": {}}, "az2": {}},
    }
    assert json.loads(json.dumps(answer)) == answer


def test_ping_may_be_broadcast() -> None:
    with CellInMemory("east") as cell:
        assert cell.call("ping", "api!east", message_type="broadcast")["name"] == "east"


def test_the_doctor_lists_links_with_problems_and_no_address() -> None:
    with CellInMemory("east", parents=["api"], children=["az1"]) as cell:
        cell.table.record("api")
        answer = cell.call("doctor", "api!east")
    assert (answer["host"], answer["source_problem"], answer["left_out"]) == ("h1", None, 0)
    assert [(row["name"], row["state"]) for row in answer["neighbors"]] == [("az1", "unknown")]
    assert not {"transport_url", "link"} & answer["neighbors"][0].keys()
    assert json.loads(json.dumps(answer)) == answer


def test_only_the_cell_itself_sees_the_use_of_its_services() -> None:
    with CellInMemory("east", options={"allowed_services": ["inventory"]}) as cell:
        assert cell.endpoints.callers("services") == {"own_cell"}
        found = cell.call("services", "east")
        assert found == {"seen_by": "h1", "allowed": ["inventory"], "unused": ["inventory"], "uses": []}


def test_children_may_not_see_the_problems() -> None:
    with CellInMemory("east") as cell:
        assert cell.endpoints.callers("doctor") == {"own_cell", "parents"}
