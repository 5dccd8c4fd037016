"""CellAnswer: the answer of one cell to a broadcast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cells.messages import Response


@dataclass(frozen=True)
class CellAnswer:
    """The value or the error with which one cell answers a broadcast."""

    cell: str  #: the path from the asking cell to this one
    value: Any = None
    error: Exception | None = None

    @classmethod
    def read(cls, text: str, allowed_modules: Sequence[str]) -> CellAnswer:
        """Return the answer of which ``text``, JSON of Response, tells; an unreadable text is an answer with an error.

        :param allowed_modules: modules whose exceptions are rebuilt
        """
        response = Response.read(text, allowed_modules)
        return cls(response.cell, response.value, response.error)
