"""Trees of cells that are always stopped at the end of the test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.functional.cell_tree import CellTree, Shape


@pytest.fixture
def cell_tree() -> Iterator[Callable[..., CellTree]]:
    """Factory of started trees, with the arguments of CellTree."""
    with contextlib.ExitStack() as stack:

        def start(shape: Shape, **options: Any) -> CellTree:
            return stack.enter_context(CellTree(shape, **options))

        yield start
