"""The code of the user page about the functions of cells.rpc works in a tree of two cells."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cells.rpc
from cells.testing import CellTree
from tests.functional.cell_tree import wait_for

PAGE = Path(__file__).parents[2] / "doc" / "source" / "user" / "module_level.rst"
SPEAKING, TAKING, EXPECTED, POOLS = (
    textwrap.dedent(block)
    for block in re.findall(r"^\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)", PAGE.read_text(), flags=re.MULTILINE)
)


@pytest.fixture
def tree() -> Iterator[CellTree]:
    with CellTree({"api": {"east": {}}}) as tree:
        yield tree


def run(block: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_a_service_calls_services_of_two_cells(
    tree: CellTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connections = []
    for cell in ("api", "east"):
        # Both cells are in this process, but the functions of the module belong to one cell.
        here = cells.rpc.Connection(tree[cell].transport)
        monkeypatch.setattr(cells.rpc, "create_connection", lambda here=here: here)
        names = run(TAKING, {"cells": cells})
        assert names["connection"] is here
        connections.append(run(POOLS, names)["connection"])
    run(SPEAKING, {"conf": tree["api"].conf})
    printed: list[str] = []

    def all_printed() -> bool:
        printed.extend(capsys.readouterr().out.splitlines())
        return len(printed) >= 4

    wait_for(all_printed, "both pools have the event")
    assert sorted(printed) == ["0 3", "1 3", "ada has no disk WD-1 any more.", "disk_gone {'serial': 'WD-1'}"]
    for connection in connections:
        connection.close()


def test_expected_error_is_not_logged(tree: CellTree, caplog: pytest.LogCaptureFixture) -> None:
    tree["east"].serve("inventory", run(EXPECTED, {"cells": cells, "__name__": "inventory"})["Inventory"]())
    with pytest.raises(cells.rpc.RemoteError) as caught:
        tree["api"].client("inventory", timeout=5).prepare(cell="east").call({}, "take", kind="disk")
    assert (caught.value.exc_type, caught.value.value) == ("SoldOut", "disk")
    assert not [record for record in caplog.records if record.exc_info]
