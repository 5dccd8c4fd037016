"""A tree of cells as an SVG picture, the root on the left and a line for each leaf.

Each state has its own symbol and is written out, so that the picture can be read without colors.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax import saxutils

from cells import printable

Cell = Mapping[str, Any]

_ROW, _HEIGHT, _GAP, _MARGIN, _HEAD = 34, 26, 52, 20, 56
#: Estimated width of a character, and of the symbol with the margins of a node.
_CHARACTER, _FRAME = 7.4, 40
#: Distance from the middle of a text to its baseline.
_BASELINE = 4.5
#: Characters of a name that are shown; the whole path is in the tooltip.
_LONGEST_NAME = 32
_PROBLEM, _WAITING, _UNKNOWN = "problem", "waiting", "unknown"
#: State -> class of its style, and symbol of 12 x 12 around its middle.
_LOOKS = {
    "up": ("up", '<circle r="5"/>'),
    "silent": (_WAITING, '<path d="M0 -6 L6 5 L-6 5 Z"/>'),
    "mute": (_WAITING, '<path d="M0 6 L6 -5 L-6 -5 Z"/>'),
    "reconnecting": (_WAITING, '<path d="M0 -6 L6 0 L0 6 L-6 0 Z"/>'),
    "unreachable": (_PROBLEM, '<path class="cross" d="M-5 -5 L5 5 M-5 5 L5 -5"/>'),
    "failed": (_PROBLEM, '<rect x="-5" y="-5" width="10" height="10"/>'),
}
_UNKNOWN_LOOK = (_UNKNOWN, '<circle class="hollow" r="4.5"/>')
#: Without variables of CSS, which most programs that show SVG do not know.
_COLORS = """\
    text {{ fill: {ink}; }} .quiet {{ fill: {quiet}; }} .page {{ fill: {page}; }}
    .edge {{ stroke: {line}; }} .box {{ fill: {box}; stroke: {line}; }} .self .box {{ stroke: {ink}; }}
    .up .symbol {{ fill: {up}; }} .hollow {{ stroke: {quiet}; }}
    .waiting .symbol {{ fill: {waiting}; }} .waiting .box {{ stroke: {waiting}; }}
    .problem .symbol {{ fill: {problem}; stroke: {problem}; }} .problem .box {{ stroke: {problem}; }}"""
_LIGHT = {
    "ink": "#1f2328",
    "quiet": "#636c76",
    "line": "#afb8c1",
    "page": "#ffffff",
    "box": "#f6f8fa",
    "up": "#1a7f37",
    "waiting": "#9a6700",
    "problem": "#cf222e",
}
_DARK = {
    "ink": "#e6edf3",
    "quiet": "#9198a1",
    "line": "#4a525c",
    "page": "#0d1117",
    "box": "#161b22",
    "up": "#3fb950",
    "waiting": "#d29922",
    "problem": "#f85149",
}
_STYLE = f"""\
  <style>
    text {{ font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 13px; }}
    .quiet {{ font-size: 12px; }}
    .edge {{ fill: none; stroke-width: 1.5; }} .off {{ stroke-dasharray: 4 4; }} .hollow {{ fill: none; }}
    .waiting .box {{ stroke-dasharray: 6 3; }} .unknown .box {{ stroke-dasharray: 2 3; }}
    .problem .box {{ stroke-width: 2; }} .self .box {{ stroke-width: 2.5; }} .cross {{ stroke-width: 3; }}
{_COLORS.format_map(_LIGHT)}
    @media (prefers-color-scheme: dark) {{
{_COLORS.format_map(_DARK)} }}
  </style>"""


@dataclass
class _Node:
    """A cell with its place."""

    cell: Cell
    depth: int
    parent: _Node | None
    row: float = 0.0

    @property
    def state(self) -> str:
        return str(self.cell.get("state") or "unknown")

    @property
    def name(self) -> str:
        name = printable.line(str(self.cell["name"]))
        return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\u2026"

    @property
    def note(self) -> str:
        notes = ["this cell"] if self.cell.get("is_self") else []
        return ", ".join(notes if self.state == "up" else [*notes, printable.line(self.state)])


def draw(root: Cell) -> Iterator[str]:
    """Yield the lines of the picture.  Names of cells are escaped, so that none of them is markup."""
    nodes, rows = _place(root)
    widths = [
        max(_width(f"{node.name}  {node.note}") for node in nodes if node.depth == depth)
        for depth in range(max(node.depth for node in nodes) + 1)
    ]
    lefts = [_MARGIN + sum(widths[:depth]) + _GAP * depth for depth in range(len(widths))]
    counts = Counter(node.state for node in nodes)
    legend = list(_legend(counts))
    width = max(lefts[-1] + widths[-1], legend[-1][0]) + _MARGIN
    height = _HEAD + rows * _ROW + _MARGIN
    summary = ", ".join(f"{count} {printable.line(state)}" for state, count in counts.items())
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}">'
    )
    yield f"  <title>{_escaped(f'Cells: {summary}')}</title>"
    yield from _STYLE.splitlines()
    yield f'  <rect class="page" width="{width:.0f}" height="{height}"/>'
    yield from (line for _, line in legend)
    for node in nodes:
        if node.parent is not None:
            yield _edge(node, node.parent, lefts, widths)
    for node in nodes:
        yield from _box(node, lefts[node.depth], widths[node.depth])
    yield "</svg>"


def _place(root: Cell) -> tuple[list[_Node], int]:
    """Return the nodes, parents before children and in the middle of their rows, and the number of rows."""
    nodes: list[_Node] = []
    unseen = [_Node(root, 0, None)]
    rows = 0
    while unseen:
        node = unseen.pop()
        nodes.append(node)
        children = node.cell.get("children") or ()
        if not children:
            node.row, rows = rows, rows + 1
        unseen.extend(_Node(child, node.depth + 1, node) for child in reversed(children))
    ends: dict[int, tuple[float, float]] = {}
    for node in reversed(nodes):
        if id(node) in ends:
            node.row = sum(ends[id(node)]) / 2
        if node.parent is not None:
            first, last = ends.get(id(node.parent), (node.row, node.row))
            ends[id(node.parent)] = min(first, node.row), max(last, node.row)
    return nodes, rows


def _legend(counts: Mapping[str, int]) -> Iterator[tuple[float, str]]:
    """Yield each entry with the place where it ends."""
    left = float(_MARGIN)
    for state, count in counts.items():
        kind, symbol = _LOOKS.get(state, _UNKNOWN_LOOK)
        text = f"{count} {printable.line(state)}"
        yield (
            left + _width(text),
            f'  <g class="{kind}"><g class="symbol" transform="translate({left + 8:.0f} 26)">{symbol}</g>'
            f'<text class="quiet" x="{left + 22:.0f}" y="{26 + _BASELINE:g}">{_escaped(text)}</text></g>',
        )
        left += _width(text) + 8


def _edge(node: _Node, parent: _Node, lefts: Sequence[float], widths: Sequence[float]) -> str:
    start, end = lefts[parent.depth] + widths[parent.depth], lefts[node.depth]
    middle = (start + end) / 2
    line = f"M{start:.0f} {_y(parent):g} C{middle:.0f} {_y(parent):g} {middle:.0f} {_y(node):g} {end:.0f} {_y(node):g}"
    return f'  <path class="edge{"" if node.state == "up" else " off"}" d="{line}"/>'


def _box(node: _Node, left: float, width: float) -> Iterator[str]:
    kind, symbol = _LOOKS.get(node.state, _UNKNOWN_LOOK)
    path = printable.line(str(node.cell.get("path") or node.cell["name"]))
    note = f'<tspan class="quiet" dx="8">{_escaped(node.note)}</tspan>' if node.note else ""
    yield f'  <g class="{kind}{" self" if node.cell.get("is_self") else ""}">'
    yield f"    <title>{_escaped(f'{path}: {node.state}')}</title>"
    place = f'x="{left:.0f}" y="{_y(node) - _HEIGHT / 2:g}" width="{width:.0f}" height="{_HEIGHT}"'
    yield f'    <rect class="box" {place} rx="6"/>'
    yield f'    <g class="symbol" transform="translate({left + 14:.0f} {_y(node):g})">{symbol}</g>'
    yield f'    <text x="{left + 28:.0f}" y="{_y(node) + _BASELINE:g}">{_escaped(node.name)}{note}</text>'
    yield "  </g>"


def _y(node: _Node) -> float:
    return _HEAD + node.row * _ROW + _HEIGHT / 2


def _width(text: str) -> float:
    cells = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return _FRAME + cells * _CHARACTER


def _escaped(text: str) -> str:
    return saxutils.escape(text, {'"': "&quot;"})
