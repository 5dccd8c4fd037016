"""What cells answer to a broadcast, one at a time, as it comes: what :meth:`CellsAPI.broadcast_stream` gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cells.messages import Response

if TYPE_CHECKING:
    from typing_extensions import Self

#: Asks the manager for what is new: ``{"responses": [JSON text of Response, ...], "is_complete"}``.
Fetch = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class CellAnswer:
    """What one cell answered to a broadcast."""

    cell: str  #: the way from the asking cell to this one
    value: Any = None
    error: Exception | None = None

    @classmethod
    def read(cls, text: str, allowed_modules: Sequence[str]) -> CellAnswer:
        """:param text: JSON of Response; what cannot be read is an answer with that error"""
        response = Response.read(text, allowed_modules)
        return cls(response.cell, response.value, response.error)


class BroadcastAnswers(Iterator[CellAnswer]):
    """Yields answers until all cells have given theirs, or the time is over.  For one thread.

    Who wants no more of them closes it, by a ``with`` block say.
    """

    def __init__(self, fetch: Fetch, let_go: Callable[[], object], allowed_modules: Sequence[str]) -> None:
        self._fetch = fetch
        self._let_go = let_go
        self._allowed_modules = allowed_modules
        self._came: deque[str] = deque()
        self._is_over = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> CellAnswer:
        """:raises cells.exceptions.ManagerTimeout: the manager of this cell does not answer any more"""
        while not self._came:
            if self._is_over:
                raise StopIteration
            batch = self._fetch()
            self._came.extend(batch["responses"])
            self._is_over = batch["is_complete"]
        return CellAnswer.read(self._came.popleft(), self._allowed_modules)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Take no more answers.  May be called twice."""
        self._came.clear()
        if not self._is_over:
            self._is_over = True
            self._let_go()
