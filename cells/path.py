"""CellPath: the address of a cell, and the only place that knows its separator.

``api!east!az1`` names az1, a child of east, a child of api.  On the wire the same notation is used for the route of a
message, ``az1!east!api``, source first.  Texts for people write a route ``az1 > east > api``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import overload

from cells import exceptions

SEPARATOR = "!"
MAX_NAME_LENGTH = 255
#: Cells of the longest path, twice what [cells] max_hop_count can be.
MAX_LENGTH = 2000

#: Characters of the longest path that is remembered once it is read.
MAX_REMEMBERED_LENGTH = 1024

#: Between the cells of a route in a text for people.  No name has a blank, so no path looks like this.
_ROUTE_SEPARATOR = " > "
#: Characters of a route in an error or a line of the log: another cell can write a route of any length.
_MAX_SHOWN_ROUTE = 300


def check_name(name: object) -> str:
    """Return ``name`` if it can be the name of a cell.

    :raises cells.exceptions.InvalidNeighbor: it is empty, longer than 255
        characters, or has a separator, a blank or a control character in it
    """
    if not isinstance(name, str) or not name:
        raise exceptions.InvalidNeighbor(f"A cell's name must be a text of at least one character, not {name!r}.")
    if len(name) > MAX_NAME_LENGTH:
        raise exceptions.InvalidNeighbor(f"The cell name {name[:20]!r}... is longer than {MAX_NAME_LENGTH} characters.")
    # Of all blanks the ASCII space alone counts as printable.
    if SEPARATOR in name or " " in name or not name.isprintable():
        raise exceptions.InvalidNeighbor(
            f"The cell name {name!r} must not hold {SEPARATOR!r}, blanks or control characters: "
            f"{SEPARATOR!r} separates the cells of a path.",
            cell=name,
        )
    return name


def below(path: str, name: str) -> str:
    """Return the text of ``path`` extended by the cell ``name``."""
    return f"{path}{SEPARATOR}{name}"


def any_below(name: str) -> str:
    """Return the text that stands for the neighbor ``name`` and all cells below it.  No path has this text."""
    return below(name, "")


def first_name(path: str) -> str:
    """Return the first cell of the text of a path."""
    return path.partition(SEPARATOR)[0]


class CellPath:
    """A path of one or more cell names.  Immutable, hashable, ordered by its names."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        if not self._names:
            raise exceptions.MalformedMessage("A path needs at least one cell name.")

    @classmethod
    def parse(cls, text: object) -> CellPath:
        """Read ``api!east!az1``.

        :raises cells.exceptions.MalformedMessage: it is no text, or has an empty or bad name
        """
        if not isinstance(text, str):
            raise exceptions.MalformedMessage(f"A path of cells must be a text like 'api!east', not {text!r:.80}.")
        if text.count(SEPARATOR) >= MAX_LENGTH:
            raise exceptions.MalformedMessage(
                f"{text[:40]!r}... is no path of cells: it is longer than one of {MAX_LENGTH}."
            )
        return _path(text) if len(text) <= MAX_REMEMBERED_LENGTH else _read(text)

    def __str__(self) -> str:
        return SEPARATOR.join(self._names)

    @property
    def as_route(self) -> str:
        """The cells in the order in which a message passes them, for errors and the log: ``az1 > east > api``."""
        text = _ROUTE_SEPARATOR.join(self._names)
        return text if len(text) <= _MAX_SHOWN_ROUTE else f"{text[:_MAX_SHOWN_ROUTE]}..."

    def __repr__(self) -> str:
        return f"CellPath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CellPath) and self._names == other._names

    def __lt__(self, other: CellPath) -> bool:
        return self._names < other._names

    def __hash__(self) -> int:
        return hash(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> CellPath: ...

    def __getitem__(self, index: int | slice) -> str | CellPath:
        return CellPath(self._names[index]) if isinstance(index, slice) else self._names[index]

    @property
    def first(self) -> str:
        return self._names[0]

    @property
    def last(self) -> str:
        return self._names[-1]

    @property
    def sender(self) -> str | None:
        """Of a route: the cell before the last one; None: the message has not traveled."""
        names = self._names
        return names[-2] if len(names) > 1 else None

    def child(self, name: str) -> CellPath:
        """Return the path extended by one cell."""
        return CellPath((*self._names, name))

    def joined(self, other: Iterable[str]) -> CellPath:
        """Return the path extended by the cells of ``other``."""
        return CellPath((*self._names, *other))

    def reversed(self) -> CellPath:
        """Return the path in the opposite order."""
        return CellPath(self._names[::-1])

    def is_prefix_of(self, other: CellPath) -> bool:
        """Return whether ``other`` starts with this path or is this path."""
        return self._names == other._names[: len(self._names)]

    def common_length(self, other: CellPath) -> int:
        """Return the number of cells that both paths share from their start."""
        shared = 0
        for mine, theirs in zip(self._names, other._names, strict=False):
            if mine != theirs:
                break
            shared += 1
        return shared

    def walk_to(self, other: CellPath) -> CellPath:
        """Return the way from this cell to ``other``.  Both paths start at the same top.

        Up to their common ancestor, then down; source and target included:
        ``api!east!az1`` walks to ``api!west`` as ``az1!east!api!west``.

        :raises cells.exceptions.CellNotFound: they do not share a top
        """
        shared = self.common_length(other)
        if not shared:
            raise exceptions.CellNotFound(
                f"{other} does not start at the top of this tree, which is {self.first}.", cell=str(other)
            )
        return CellPath((*self._names[shared - 1 :][::-1], *other._names[shared:]))


def _read(text: str) -> CellPath:
    try:
        return CellPath(check_name(name) for name in text.split(SEPARATOR))
    except exceptions.InvalidNeighbor as error:
        raise exceptions.MalformedMessage(f"{text!r:.80} is no path of cells: {error.message}") from error


#: The same messages walk the same ways again and again.
_path = functools.lru_cache(maxsize=4096)(_read)
