"""The known part of the tree: the path of this cell from the root, and the cells below it.

Paths and subtrees come from the answers of neighbors to pings; nothing here sends a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cells import exceptions
from cells.neighbors import Direction, NeighborTable
from cells.path import CellPath, check_name

#: name of a child -> its own children
Subtree = dict[str, Any]

#: Bound for the depth that a neighbor may announce: deeper than any sensible tree.
MAX_DEPTH = 200


class Topology:
    """Known names and paths of cells.  Thread-safe; no I/O."""

    def __init__(self, cell_name: str, table: NeighborTable) -> None:
        self.cell_name = cell_name
        self._table = table

    def own_paths(self) -> list[CellPath]:
        """Return this cell's paths from the root, one per parent.

        A parent that has not announced its own path counts as the root until it does.
        """
        parents = sorted(self._table.snapshot().parents)
        return [self._path_of_parent(name).child(self.cell_name) for name in parents] or [CellPath([self.cell_name])]

    @property
    def own_path(self) -> CellPath:
        return self.own_paths()[0]

    def _path_of_parent(self, name: str) -> CellPath:
        heard = self._table.heard(name)
        try:
            path = CellPath.parse(heard.description.get("path") if heard else None)
        except exceptions.MessageError:
            return CellPath([name])
        # A neighbor whose own name differs from its registered name is reached under the registered name.  A parent
        # that announces a path through this cell (parents in a circle) has no valid place above this cell.
        is_above = path.last == name and self.cell_name not in path and len(path) <= MAX_DEPTH
        return path if is_above else CellPath([name])

    def subtree(self) -> Subtree:
        """Return the cells below, nested: ``{"east": {"az1": {}}, "west": {}}``."""
        return {name: self._subtree_of_child(name) for name in sorted(self._table.snapshot().children)}

    def _subtree_of_child(self, name: str) -> Subtree:
        heard = self._table.heard(name)
        return _clean(heard.description.get("subtree") if heard else None)

    def cells_toward(self, direction: Direction) -> list[CellPath]:
        """Return the full paths of this cell and of all known cells above or below it."""
        own_paths = self.own_paths()
        if direction is Direction.UP:
            return sorted({path[:depth] for path in own_paths for depth in range(1, len(path) + 1)})
        return [own_paths[0], *(own_paths[0].joined(below) for below in _walk(self.subtree()))]

    def walk_to(self, text: str) -> CellPath:
        """Return the walk from this cell to the cell that ``text`` names.

        :param text: a name that is unique in the known part of the tree, or a full path from the root
        :raises cells.exceptions.CellNotFound: no known cell has that name or path
        :raises cells.exceptions.AmbiguousCell: several cells have that name
        :raises cells.exceptions.MalformedMessage: ``text`` is neither a name nor a path
        """
        target = CellPath.parse(text)
        return self._walk_to_name(target.first) if len(target) == 1 else self._walk_to_path(target)

    def _walk_to_path(self, target: CellPath) -> CellPath:
        own_paths = self.own_paths()
        best = max(own_paths, key=target.common_length)
        if not target.common_length(best):
            raise exceptions.CellNotFound(
                f"No cell {target} is known in {self.cell_name}: a full path starts at the root of the tree, which "
                f"from here is {' or '.join(sorted({path.first for path in own_paths}))}.",
                cell=str(target),
            )
        return best.walk_to(target)

    def _walk_to_name(self, name: str) -> CellPath:
        walks = {own.walk_to(found) for own in self.own_paths() for found in self._paths_of(own, name)}
        if not walks:
            raise exceptions.CellNotFound(
                f'No cell {name!r} is known in {self.cell_name}: check the name with "cells topology", or give its '
                f"full path from the root, like {self.own_path.child(name)}.",
                cell=name,
            )
        if len(walks) > 1:
            candidates = sorted(str(path) for own in self.own_paths() for path in self._paths_of(own, name))
            raise exceptions.AmbiguousCell(
                f"The name {name!r} fits several cells, {', '.join(candidates)}: give the full path.",
                cell=name,
                candidates=candidates,
            )
        return walks.pop()

    def _paths_of(self, own: CellPath, name: str) -> Iterator[CellPath]:
        """Yield all known paths from the root that end in ``name``: above, here, and below."""
        for depth in range(1, len(own) + 1):
            if own[depth - 1] == name:
                yield own[:depth]
        for below in _walk(self.subtree()):
            if below.last == name:
                yield own.joined(below)


def _clean(claimed: object, depth: int = 0) -> Subtree:
    """Return the valid part of the subtree that a neighbor has announced."""
    if not isinstance(claimed, Mapping) or depth > MAX_DEPTH:
        return {}
    return {name: _clean(below, depth + 1) for name, below in claimed.items() if _is_name(name)}


def _is_name(name: object) -> bool:
    try:
        check_name(name)
    except exceptions.InvalidNeighbor:
        return False
    return True


def _walk(subtree: Subtree) -> Iterator[CellPath]:
    for name, below in subtree.items():
        path = CellPath([name])
        yield path
        for deeper in _walk(below):
            yield path.joined(deeper)
