"""Links that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.links.test_batches import Batches
from tests.unit.links.test_links import Office


@pytest.fixture
def opened() -> Iterator[list[Office]]:
    offices: list[Office] = []
    yield offices
    for office in offices:
        office.driver.go_on_all()
        office.links.stop(10)
        assert len(office.links) == 0


@pytest.fixture
def office(opened: list[Office]) -> Callable[..., Office]:
    def make(**limits: Any) -> Office:
        opened.append(made := Office(**limits))
        return made

    return make


@pytest.fixture
def batches(opened: list[Office]) -> Callable[..., Batches]:
    def make(**limits: Any) -> Batches:
        opened.append(made := Batches(**limits))
        return made

    return make
