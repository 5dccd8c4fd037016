"""Candidate: what a cell knows of itself, or of one child, when it has to pick one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cells.neighbors import State
from cells.path import CellPath

#: Leads from the name of a capacity into an object of capacities.
STEP = "."
#: The part of a capacity that is told as an object: ``{"ram_mb": {"free": 2048, "total": 8192}}``.
FREE = "free"


@dataclass(frozen=True)
class Candidate:
    """The cell that picks, or one of its children.

    What is known of a child is known of its whole branch: the union of the capabilities
    and the sum of the capacities of it and all cells below it.  So a child may pass and
    yet have no cell that does; then the next best is tried.
    """

    name: str
    path: CellPath  #: from the top of the tree
    is_self: bool = False
    #: name -> values; of the cell itself its own alone
    capabilities: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: nested mappings of numbers; of the cell itself what its services reported
    capacities: Mapping[str, Any] = field(default_factory=dict)
    state: State = State.UP
    weight_offset: float = 0.0
    weight_scale: float = 1.0
    #: the cells below a child, nested by name; empty for the cell itself, which is picked alone
    subtree: Mapping[str, Any] = field(default_factory=dict)
    #: further paths of a cell that has several parents
    other_paths: tuple[CellPath, ...] = ()

    @property
    def paths(self) -> tuple[CellPath, ...]:
        """All full paths of the cell."""
        return (self.path, *self.other_paths)

    def reaches(self) -> Iterator[tuple[CellPath, ...]]:
        """The full paths of each cell that is picked from if this one is: itself, and all below."""
        yield self.paths
        waiting = [(self.paths, self.subtree)]
        while waiting:
            paths, subtree = waiting.pop()
            for name, below in subtree.items():
                found = tuple(path.child(name) for path in paths)
                yield found
                waiting.append((found, below))

    def free_room(self, name: str) -> float | None:
        """How much is free of the capacity ``name``: None if the cell tells nothing of it.

        It is told as a number, or as an object with a number ``free``.
        """
        found = _find(self.capacities, name)
        if isinstance(found, Mapping):
            found = found.get(FREE)
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            return None
        try:
            return float(found) if math.isfinite(found) else None
        except OverflowError:
            return None


def _find(capacities: object, name: str) -> object:
    """The capacity of that very name, or else the one that the name leads to step by step."""
    if not isinstance(capacities, Mapping):
        return None
    if name in capacities:
        return capacities[name]
    first, step, rest = name.partition(STEP)
    return _find(capacities.get(first), rest) if step else None
