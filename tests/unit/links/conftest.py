"""Links that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.links.harness import Harness

Make = Callable[..., Harness]


@pytest.fixture
def make() -> Iterator[Make]:
    opened: list[Harness] = []

    def make(*arguments: Any, **options: Any) -> Harness:
        opened.append(harness := Harness(*arguments, **options))
        return harness

    yield make
    for harness in opened:
        harness.driver.resume_all()
        harness.links.stop(10)
        assert len(harness.links) == 0
