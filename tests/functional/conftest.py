"""Trees of cells that are always stopped at the end of the test, and wide margins between their deadlines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cells import deadlines
from tests.functional.cell_tree import CellTree, Shape


@pytest.fixture
def cell_tree() -> Iterator[Callable[..., CellTree]]:
    """Factory of started trees, with the arguments of CellTree."""
    with contextlib.ExitStack() as stack:

        def start(shape: Shape, **options: Any) -> CellTree:
            return stack.enter_context(CellTree(shape, **options))

        yield start


@pytest.fixture
def wide_margins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each cell keep so much of a call's time that the deepest cell times out first on a busy machine, too."""
    monkeypatch.setattr(deadlines, "SHARE", 0.3)
