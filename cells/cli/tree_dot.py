"""A tree of cells in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cells import printable

Cell = Mapping[str, Any]

#: State -> shape and style of its node: the states differ without colors.
_LOOKS = {
    "up": 'shape=box style="rounded"',
    "silent": 'shape=box style="rounded,dashed"',
    "mute": 'shape=box style="dashed"',
    "reconnecting": 'shape=hexagon style="dashed"',
    "unreachable": 'shape=octagon style="bold"',
    "failed": 'shape=doubleoctagon style="solid"',
}
_UNKNOWN_LOOK = 'shape=ellipse style="dotted"'


def draw(root: Cell) -> Iterator[str]:
    """Yield the lines of a directed graph.  Names of cells are quoted, so that none of them is markup."""
    yield "digraph cells {"
    yield '    graph [rankdir=LR, nodesep=0.2, ranksep=0.6, label="", fontname="sans-serif"];'
    yield '    node [fontname="sans-serif", fontsize=11, height=0.3, margin="0.15,0.05"];'
    yield "    edge [arrowhead=none];"
    yield from _draw(root, iter(range(1_000_000_000)), None)
    yield "}"


def _draw(cell: Cell, numbers: Iterator[int], parent: str | None) -> Iterator[str]:
    node, state = f"n{next(numbers)}", str(cell.get("state") or "unknown")
    label = _escaped(cell["name"])
    if cell.get("is_self"):
        label += "\\n(this cell)"
    if state != "up":
        label += f"\\n{_escaped(state)}"
    width = " penwidth=2.5" if cell.get("is_self") else ""
    tooltip = f"{_escaped(cell.get('path') or cell['name'])}: {_escaped(state)}"
    yield f'    {node} [label="{label}" tooltip="{tooltip}" {_LOOKS.get(state, _UNKNOWN_LOOK)}{width}];'
    if parent is not None:
        yield f"    {parent} -> {node}{'' if state == 'up' else ' [style=dashed]'};"
    for child in cell.get("children") or ():
        yield from _draw(child, numbers, node)


def _escaped(text: object) -> str:
    r"""Return the text for a quoted string, in which Graphviz replaces ``\N`` and ``&lt;``, among others."""
    return printable.line(str(text)).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
