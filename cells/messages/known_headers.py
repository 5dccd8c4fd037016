"""Headers that came lately, read and checked: calls and answers of one way share their header with those before them.

Reading a header and writing its answer's makes 100 of the 470 function calls of a ping over a direct link.
"""

from __future__ import annotations

from typing import NamedTuple

from cells.messages.base import Message
from cells.messages.header import Header
from cells.messages.origin import Origin
from cells.neighbors import Neighbors

#: Types of values that are compared at once.  A key that this cell does not read may hold any other, at any depth.
_FLAT = frozenset((str, int, bool, float, type(None)))
#: Bound of the headers that are remembered, and how much it grows with each neighbor: the answers of each child to a
#: broadcast have a header of their own.  If more come, all are forgotten.
MAX_HEADERS, HEADERS_OF_NEIGHBOR = 256, 4

#: Equal values of different types are not the same value: 1 == True == 1.0.
Key = tuple[Origin, tuple[object, ...], tuple[type, ...]]


class Known(NamedTuple):
    """A header, and the class of its messages."""

    message_class: type[Message]
    header: Header


def key_of(origin: Origin, values: tuple[object, ...]) -> Key | None:
    """Return the key of a header; None if it cannot be remembered.

    :param values: of the keys that decide about a header
    """
    types = tuple(map(type, values))
    return (origin, values, types) if _FLAT.issuperset(types) else None


class KnownHeaders:
    """Thread-safe.  The headers were checked against one set of neighbors, and are forgotten with it."""

    def __init__(self) -> None:
        self._state: tuple[Neighbors | None, dict[Key, Known]] = (None, {})
        self._most = MAX_HEADERS

    def of(self, neighbors: Neighbors) -> dict[Key, Known]:
        """Return the headers that were checked against ``neighbors``; the caller adds others with :meth:`add`."""
        known_for, headers = self._state
        if known_for is not neighbors:
            headers = {}
            self._state = (neighbors, headers)
            self._most = MAX_HEADERS + HEADERS_OF_NEIGHBOR * (len(neighbors.parents) + len(neighbors.children))
        return headers

    def add(self, headers: dict[Key, Known], key: Key, known: Known) -> None:
        """Remember a header."""
        if len(headers) >= self._most:
            headers.clear()
        headers[key] = known
