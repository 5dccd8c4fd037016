"""A tree of cells as lines of text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple


class Strokes(NamedTuple):
    """What a tree is drawn with; all of one width."""

    branch: str
    last_branch: str
    trunk: str
    gap: str


BOX = Strokes("├── ", "└── ", "│   ", "    ")
#: for terminals that have no box characters
ASCII = Strokes("|-- ", "`-- ", "|   ", "    ")

Cell = Mapping[str, Any]


def strokes_for(encoding: str | None) -> Strokes:
    """The nicest strokes that a stream of this encoding can show."""
    try:
        "".join(BOX).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BOX


def draw(root: Cell, strokes: Strokes = BOX) -> Iterator[str]:
    """The lines, ``*`` behind the cell that was asked, and the state where it is not "up"."""
    yield _label(root)
    yield from _draw_children(root, "", strokes)


def walk(root: Cell) -> Iterator[Cell]:
    """Every cell of the tree, parents before children."""
    yield root
    for child in root.get("children") or ():
        yield from walk(child)


def with_mute_children(root: Cell, mute: Collection[str]) -> dict[str, Any]:
    """The same tree, in which the children that were silent now, and that the asked cell holds for mute, are "mute".

    :param mute: names of mute neighbors of the cell that was asked
    """
    is_self = root.get("is_self")
    children = [with_mute_children(child, mute) for child in root.get("children") or ()]
    for child in children:
        if is_self and child["state"] == "silent" and child["name"] in mute:
            child["state"] = "mute"
    return {**root, "children": children}


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
