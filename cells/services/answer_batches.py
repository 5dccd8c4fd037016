"""AnswerBatches: the client's end of the answers of many cells, which its manager hands out in batches.

The manager's end is :mod:`cells.manager.answer_streams`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

#: Waits for new answers.  Returns them, none if it has waited in vain, and whether they are the last ones.
Fetch = Callable[[], tuple[Iterable[T], bool]]


class AnswerBatches(Iterator[T]):
    """Iterator over answers, which fetches the next batch when all fetched answers are consumed.  For one thread.

    A consumer that stops early closes it, for example with a ``with`` block.
    """

    def __init__(self, fetch: Fetch[T], stop: Callable[[], object], *, is_complete: bool = False) -> None:
        """:param stop: tells the source to discard the answers that are not fetched; called at most once
        :param is_complete: whether there are no answers to fetch
        """
        self._fetch = fetch
        self._stop = stop
        self._fetched: deque[T] = deque()
        self._is_complete = is_complete

    def __next__(self) -> T:
        """:raises Exception: the error that ``fetch`` raises"""
        while not self._fetched:
            if self._is_complete:
                raise StopIteration
            answers, self._is_complete = self._fetch()
            self._fetched.extend(answers)
        return self._fetched.popleft()

    def close(self) -> None:
        """Discard all further answers.  May be called twice."""
        self._fetched.clear()
        if not self._is_complete:
            self._is_complete = True
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
