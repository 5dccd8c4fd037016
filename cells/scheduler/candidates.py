"""Candidate: the knowledge of a cell about itself, or about one child, for the choice of a cell."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cells.neighbors import State
from cells.path import CellPath

#: Separates the keys of nested capacities: ``ram_free.total_mb``.
STEP = "."
#: The free part of a capacity that is an object: ``{"ram_mb": {"free": 2048, "total": 8192}}``.
FREE = "free"


@dataclass(frozen=True)
class Candidate:
    """The choosing cell itself, or one of its children.

    The values of a child describe its whole branch: the union of the capabilities and the
    sum of the capacities of the child and all cells below.  So a child may pass the filters
    although none of its cells does; then the manager tries the next best candidate.
    """

    name: str
    path: CellPath  #: from the top of the tree
    is_self: bool = False
    #: name -> values; for the choosing cell without those of its branch
    capabilities: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: nested mappings of numbers; for the choosing cell the reports of its own services
    capacities: Mapping[str, Any] = field(default_factory=dict)
    state: State = State.UP
    weight_offset: float = 0.0
    weight_scale: float = 1.0
    #: the cells below a child, nested by name; empty for the choosing cell, which stands for itself alone
    subtree: Mapping[str, Any] = field(default_factory=dict)
    #: further paths of a cell that has several parents
    other_paths: tuple[CellPath, ...] = ()

    @property
    def paths(self) -> tuple[CellPath, ...]:
        """All full paths of the cell."""
        return (self.path, *self.other_paths)

    def reaches(self) -> Iterator[tuple[CellPath, ...]]:
        """Yield the full paths of each cell that this candidate stands for: the candidate and all cells below."""
        yield self.paths
        unvisited = [(self.paths, self.subtree)]
        while unvisited:
            parents, subtree = unvisited.pop()
            for name, below in subtree.items():
                paths = tuple(parent.child(name) for parent in parents)
                yield paths
                unvisited.append((paths, below))

    def free_room(self, name: str) -> float | None:
        """Return the free amount of the capacity ``name``; None if the cell does not report it.

        Cells report a capacity as a number, or as an object with a number ``free``.
        """
        found = _find(self.capacities, name)
        if isinstance(found, Mapping):
            found = found.get(FREE)
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            return None
        return float(found) if abs(found) <= sys.float_info.max else None


def _find(capacities: object, name: str) -> object:
    """Return the capacity of exactly this name, or else the nested capacity that the dotted name describes."""
    if not isinstance(capacities, Mapping):
        return None
    if name in capacities:
        return capacities[name]
    first, step, rest = name.partition(STEP)
    return _find(capacities.get(first), rest) if step else None
