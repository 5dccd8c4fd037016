"""NumberedAnswers: the iterator that :func:`cells.rpc.multicall` returns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from cells.services.answer_batches import AnswerBatches


class NumberedAnswers(AnswerBatches[tuple[int, Any]]):
    """Yields ``(n, value)``, n from 0, in the order in which the answers arrive.

    The value of a cell that fails, or whose answer is late, is an instance of Exception.  For one thread.
    A consumer that stops early closes it, for example with a ``with`` block.
    """

    def __init__(self, values: Iterator[Any], close: Callable[[], None]) -> None:
        """:param close: closes the source of the values; called at most once, and only before the last value"""
        numbered = enumerate(values)

        def fetch() -> tuple[list[tuple[int, Any]], bool]:
            batch = list(itertools.islice(numbered, 1))
            return batch, not batch

        super().__init__(fetch, close)
