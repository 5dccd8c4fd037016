"""NumberedAnswers: what :func:`cells.rpc.multicall` gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class NumberedAnswers(Iterator[tuple[int, Any]]):
    """Yields ``(n, value)``, n from 0, in the order in which the answers come.

    A cell that failed, or whose answer did not come in time, has an instance of Exception as its value.
    Who takes no more of them closes it, or leaves its ``with`` block.  For one thread.
    """

    def __init__(self, values: Iterator[Any], close: Callable[[], None]) -> None:
        """:param close: ends the source of the values; may be called twice"""
        self._numbered = enumerate(values)
        self._close = close
        self._is_closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[int, Any]:
        if self._is_closed:
            raise StopIteration
        return next(self._numbered)

    def close(self) -> None:
        """Take no more answers: there are none from now on.  May be called twice."""
        self._is_closed = True
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
