"""Ten thousand connections with garbage to a manager with direct links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.direct.nodes import Manager
from tests.functional.direct.test_crowds import check_garbage
from tests.unit.drivers.direct.identities import Cell

pytestmark = pytest.mark.long


@pytest.fixture
def cells(tmp_path: Path) -> tuple[Cell, Cell]:
    return Cell(tmp_path, "api"), Cell(tmp_path, "api!east")


@pytest.fixture
def managers(cells: tuple[Cell, Cell]) -> Iterator[tuple[Manager, Manager]]:
    api, east = cells
    started = Manager(api), Manager(east, listen=())
    yield started
    for manager in started:
        manager.node.stop(0.2)


def test_garbage(managers: tuple[Manager, Manager], cells: tuple[Cell, Cell]) -> None:
    check_garbage(*managers, *cells, 10_000)
