"""Two cells with certificates, and managers that are stopped at the end of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.functional.direct.nodes import Manager
from tests.unit.drivers.direct.identities import Cell

Start = Callable[..., Manager]


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Cell:
    return Cell(Path(tmp_path_factory.mktemp("api")), "api")


@pytest.fixture(scope="session")
def east(tmp_path_factory: pytest.TempPathFactory) -> Cell:
    return Cell(Path(tmp_path_factory.mktemp("east")), "api!east")


@pytest.fixture
def start() -> Iterator[Start]:
    """Start managers: the arguments are those of :class:`Manager`."""
    started: list[Manager] = []

    def start(cell: Cell, *arguments: object, **options: object) -> Manager:
        started.append(Manager(cell, *arguments, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for manager in started:
        manager.node.stop(0.2)
