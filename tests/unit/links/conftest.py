"""Outboxes that end with the test, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.links.test_links import Office


@pytest.fixture
def office() -> Iterator[Callable[..., Office]]:
    opened: list[Office] = []

    def open_one(**limits: Any) -> Office:
        opened.append(Office(**limits))
        return opened[-1]

    yield open_one
    for one in opened:
        one.driver.go_on_all()
        one.outboxes.stop(10)
        assert len(one.outboxes) == 0
