"""The known part of the tree: the path of this cell from the root, and the cells below it.

Paths and subtrees come from the answers of neighbors to pings; nothing here sends a message.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from cells import exceptions
from cells.neighbors import Direction, NeighborTable
from cells.neighbors.table import IS_PLACED
from cells.path import CellPath, check_name

#: name of a child -> its own children
Subtree = dict[str, Any]

#: Bound for the depth that a neighbor may announce: deeper than any sensible tree.
MAX_DEPTH = 200
#: Bound for the cells that a child may announce below itself.
MAX_CELLS = 20_000


class Topology:
    """Known names and paths of cells.  Thread-safe; no I/O."""

    def __init__(self, cell_name: str, table: NeighborTable) -> None:
        self.cell_name = cell_name
        self._table = table
        self._lock = threading.Lock()
        #: name of a cell that is no neighbor -> the neighbor that leads to it
        self._remembered: dict[str, str] = {}
        #: the names to which only one neighbor leads, when :meth:`remember_names` looked last
        self._unique: dict[str, str] = {}

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
        return self._known_path_of(name) or CellPath([name])

    def _known_path_of(self, name: str) -> CellPath | None:
        """Return the path that a parent has announced, now or before the last start; None: neither."""
        heard = self._table.heard(name)
        if heard is None:
            return None
        if heard.description and heard.description.get(IS_PLACED) is not False:
            return self._above(name, heard.description.get("path"))
        if heard.last_path is not None:
            return self._above(name, heard.last_path)
        # A cell of Nova announces no path.
        return CellPath([name]) if self._table.has_no_ping(name) else None

    def _above(self, name: str, announced: object) -> CellPath:
        return _path_above(self.cell_name, name, announced) if isinstance(announced, str) else CellPath([name])

    def paths_of_parents(self) -> dict[str, str]:
        """Return the path of each parent whose path is known."""
        known = {name: self._known_path_of(name) for name in sorted(self._table.snapshot().parents)}
        return {name: str(path) for name, path in known.items() if path is not None}

    @property
    def is_placed(self) -> bool:
        """Whether the path of each parent is known: from its announcements, or from the time before the last start."""
        return all(self._known_path_of(name) is not None for name in self._table.snapshot().parents)

    def may_find_later(self, text: object) -> bool:
        """Return whether the walk to ``text`` is unknown, but may be known once the parents have announced their paths.

        :param text: as for :meth:`walk_to`
        """
        if self.is_placed:
            return False
        try:
            self.walk_to(text)
        except exceptions.CellNotFound:
            return True
        except exceptions.CellsError:
            return False
        return False

    def subtree(self) -> Subtree:
        """Return the cells below, nested: ``{"east": {"az1": {}}, "west": {}}``."""
        return {name: self.subtree_of(name) for name in sorted(self._table.snapshot().children)}

    def subtree_of(self, name: str) -> Subtree:
        """Return the cells below a child, as far as they are known; none below a cell that is no neighbor."""
        return _clean(self._claimed(name), iter(range(MAX_CELLS)))

    def _claimed(self, name: str) -> object:
        heard = self._table.heard(name)
        return heard.description.get("subtree") if heard else None

    def cells_left_out(self, name: str) -> int:
        """Return how many cells that a child has announced are left out: too many, too deep, or no name of a cell."""
        return _size(self._claimed(name)) - _size(self.subtree_of(name))

    def cells_toward(self, direction: Direction) -> list[CellPath]:
        """Return the full paths of this cell and of all known cells above or below it."""
        own_paths = self.own_paths()
        if direction is Direction.UP:
            return sorted({path[:depth] for path in own_paths for depth in range(1, len(path) + 1)})
        return [own_paths[0], *(own_paths[0].joined(below) for below in _walk(self.subtree()))]

    def beyond(self, part: CellPath, direction: Direction) -> list[CellPath]:
        """Return the known cells that a broadcast reaches only through ``part``.

        :param part: a walk from a neighbor, which is its first name; the result has walks of the same kind
        """
        if direction is Direction.UP:
            walks = [CellPath(list(own)[-2::-1]) for own in self.own_paths() if len(own) > 1]
            longer = [walk for walk in walks if part.is_prefix_of(walk)]
            return sorted({walk[:length] for walk in longer for length in range(len(part) + 1, len(walk) + 1)})
        below = self.subtree()
        for name in part:
            below = below.get(name, {})
        return [part.joined(deeper) for deeper in _walk(below)]

    def walk_to(self, text: object) -> CellPath:
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
                f"from here is {' or '.join(sorted({path.first for path in own_paths}))}.{self._missing_paths()}",
                cell=str(target),
            )
        return best.walk_to(target)

    def remember_names(self) -> None:
        """Remember the neighbor that leads to each name that only one neighbor leads to, now and at the last call.

        Called periodically.  If another neighbor claims such a name later, the name still leads where it led.
        """
        neighbors: dict[str, set[str]] = {}
        for walk in self._learned_walks():
            neighbors.setdefault(walk.last, set()).add(walk[1])
        unique = {name: min(leading) for name, leading in neighbors.items() if len(leading) == 1}
        with self._lock:
            known = {name: via for name, via in self._remembered.items() if via in neighbors.get(name, ())}
            self._remembered = {**{name: via for name, via in unique.items() if self._unique.get(name) == via}, **known}
            self._unique = unique

    def _learned_walks(self) -> Iterator[CellPath]:
        """Yield the walks to all cells that neighbors have announced, those above first."""
        here = CellPath([self.cell_name])
        for own in self.own_paths():
            yield from (own.walk_to(own[:depth]) for depth in range(1, len(own) - 1))
        yield from (here.joined(path) for path in _walk(self.subtree()) if len(path) > 1)

    def _walk_to_name(self, name: str) -> CellPath:
        if name == self.cell_name:
            return CellPath([name])
        neighbors = self._table.snapshot()
        if name in neighbors.parents or name in neighbors.children:
            return CellPath([self.cell_name, name])
        found = {walk for walk in self._learned_walks() if walk.last == name}
        if not found:
            raise exceptions.CellNotFound(
                f'No cell {name!r} is known in {self.cell_name}: check the name with "cells topology", or give its '
                f"full path from the root of the tree.{self._missing_paths()}",
                cell=name,
            )
        walks = self._trusted(name, found)
        if len(walks) > 1:
            candidates = sorted(str(self._full_path(walk)) for walk in walks)
            raise exceptions.AmbiguousCell(
                f"The name {name!r} fits several cells, {', '.join(candidates)}: give the full path.",
                cell=name,
                candidates=candidates,
            )
        with self._lock:
            self._remembered.setdefault(name, walks[0][1])
        return walks[0]

    def _trusted(self, name: str, walks: set[CellPath]) -> list[CellPath]:
        """Return the walks to cells of one name that count: a neighbor may claim any name.

        The walks by the neighbor that has led to the name count first, then those to cells above.
        """
        via, parents = self._remembered.get(name), self._table.snapshot().parents
        return (
            [walk for walk in walks if walk[1] == via] or [walk for walk in walks if walk[1] in parents] or list(walks)
        )

    def _full_path(self, walk: CellPath) -> CellPath:
        """Return the path from the root to the end of ``walk``, which leads from this cell up or down."""
        for own in self.own_paths():
            if own[-2:] == walk[:2].reversed():
                return own[: len(own) + 1 - len(walk)]
        return self.own_path.joined(walk[1:])

    def _missing_paths(self) -> str:
        """Return a sentence about the parents whose paths are unknown; empty if there are none."""
        silent = sorted(self._table.snapshot().parents.keys() - self.paths_of_parents().keys())
        if not silent:
            return ""
        return f" The path of this cell is not known yet: no manager of {' and '.join(silent)} has announced it."


@functools.lru_cache(maxsize=256)
def _path_above(here: str, name: str, announced: str) -> CellPath:
    """Return the path that the parent ``name`` of ``here`` announces, if it is possible there."""
    try:
        path = CellPath.parse(announced)
    except exceptions.MessageError:
        return CellPath([name])
    # A neighbor whose own name differs from its registered name is reached under the registered name.  A parent
    # that announces a path through this cell (parents in a circle) has no valid place above this cell.
    is_above = path.last == name and here not in path and len(path) <= MAX_DEPTH
    return path if is_above else CellPath([name])


def _clean(claimed: object, room: Iterator[int], depth: int = 0) -> Subtree:
    """Return the valid part of the subtree that a neighbor has announced, without the cells beyond ``room``."""
    if not isinstance(claimed, Mapping) or depth > MAX_DEPTH:
        return {}
    names = [name for name in claimed if _is_name(name) and next(room, None) is not None]
    return {name: _clean(claimed[name], room, depth + 1) for name in names}


def _size(claimed: object) -> int:
    size, unseen = 0, [claimed]
    while unseen:
        below = unseen.pop()
        if isinstance(below, Mapping):
            size += len(below)
            unseen.extend(below.values())
    return size


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
