"""``cells status``."""

from __future__ import annotations

from tests.unit.cli.conftest import Cells, Manager


def test_status(cells: Cells, manager: Manager) -> None:
    manager.described = {"name": "api", "pid": 7, "pending_calls": 0, "counters": {"sent": 3, "rejected.X": 1}}
    assert cells.succeed("status", "-f", "json").value == manager.described
    table = cells.succeed("status").out
    assert "| rejected.X 1 |" in table
    assert "| sent 3" in table
