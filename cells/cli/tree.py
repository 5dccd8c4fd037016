"""A tree of cells as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TextIO


class Strokes(NamedTuple):
    """Strings that draw the branches of a tree, all of the same width."""

    branch: str
    last_branch: str
    trunk: str
    gap: str


BOX = Strokes("├── ", "└── ", "│   ", "    ")
#: for terminals without box characters
ASCII = Strokes("|-- ", "`-- ", "|   ", "    ")

Cell = Mapping[str, Any]


def strokes_for(stream: TextIO) -> Strokes:
    """Return box characters if the encoding of ``stream`` has them, otherwise ASCII."""
    try:
        "".join(BOX).encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BOX


def draw(root: Cell, strokes: Strokes = BOX) -> Iterator[str]:
    """Yield the lines, with ``*`` after the cell of the manager, and each state other than "up"."""
    yield _label(root)
    yield from _draw_children(root, "", strokes)


def walk(root: Cell) -> Iterator[Cell]:
    """Yield every cell of the tree, parents before children."""
    yield root
    for child in root.get("children") or ():
        yield from walk(child)


def _draw_children(cell: Cell, indent: str, strokes: Strokes) -> Iterator[str]:
    children = cell.get("children") or []
    for position, child in enumerate(children, start=1):
        is_last = position == len(children)
        yield indent + (strokes.last_branch if is_last else strokes.branch) + _label(child)
        yield from _draw_children(child, indent + (strokes.gap if is_last else strokes.trunk), strokes)


def _label(cell: Cell) -> str:
    mark = " *" if cell.get("is_self") else ""
    state = cell.get("state") or "unknown"
    return f"{cell['name']}{mark}" + ("" if state == "up" else f" ({state})")
