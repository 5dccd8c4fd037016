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
