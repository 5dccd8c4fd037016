"""Trees of cells that are nothing but snapshots of neighbors, and hands that carry messages through them."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from cells import versions
from cells.messages import Message
from cells.messages.header import Toward
from cells.neighbors import Neighbors
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from tests.unit.messages import captures


def oldest(_: Neighbor) -> str:
    """The version that is spoken with a neighbor of whom nothing is known."""
    return versions.OLDEST


def leaving(message: Message, neighbors: Neighbors, toward: Toward = oldest) -> Message:
    """The message as it leaves for the only neighbor that gets it."""
    (hop,) = message.plan(neighbors, toward).hops
    return message.along(hop)


class Tree:
    """Cells by their paths from the top, which speak one version with each other."""

    def __init__(self, paths: Iterable[str | CellPath], version: str = versions.OLDEST) -> None:
        self.version = version
        self.paths = sorted(path if isinstance(path, CellPath) else CellPath.parse(path) for path in paths)

    def speaking(self, version: str) -> Tree:
        """The same cells, which speak another version with each other."""
        return Tree(self.paths, version)

    def below(self, top: CellPath) -> list[CellPath]:
        """``top`` and all cells below it."""
        return [path for path in self.paths if top.is_prefix_of(path)]

    def toward(self, _: Neighbor) -> str:
        """The version that is spoken with a neighbor."""
        return self.version

    def neighbors(self, here: CellPath) -> Neighbors:
        children = [path for path in self.paths if len(path) == len(here) + 1 and here.is_prefix_of(path)]
        rows = [row(child.last) for child in children]
        return Neighbors.of([*rows, row(here[-2], is_parent=True)] if len(here) > 1 else rows)

    def step(self, here: CellPath, neighbor: Neighbor) -> CellPath:
        """The place of a neighbor of ``here``."""
        return here[:-1] if neighbor.is_parent else here.child(neighbor.name)

    def deliver(self, message: Message, here: CellPath) -> tuple[CellPath, Message]:
        """Carry a message from ``here``, as JSON at every hop, to the cell that runs it."""
        while not (plan := message.plan(self.neighbors(here), self.toward)).run_here:
            (hop,) = plan.hops
            here = self.step(here, hop.neighbor)
            message = captures.over_the_wire(message.along(hop), self.version).arrived_at(here.last)
        assert plan.hops == ()
        return here, message

    def spread(self, message: Message, here: CellPath) -> list[tuple[CellPath, Message]]:
        """Carry a broadcast from ``here``; where it runs, and the message as it is there."""
        plan = message.plan(self.neighbors(here), self.toward)
        ran = [(here, message)] if plan.run_here else []
        for hop in plan.hops:
            there = self.step(here, hop.neighbor)
            ran += self.spread(captures.over_the_wire(message.along(hop), self.version).arrived_at(there.last), there)
        return ran


def row(name: str, *, is_parent: bool = False) -> Neighbor:
    return Neighbor(name, f"memory://bus/{name}", is_parent)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Trees of 2 to 12 cells at most 8 deep, in which names come again in different branches."""
    paths = [CellPath(["top"])]
    for number in range(draw(st.integers(1, 11))):
        above = paths[draw(st.integers(0, len(paths) - 1))]
        if len(above) == 8:
            continue
        name = draw(st.sampled_from(["a", "b", "c"]))
        # Neighbors of one cell, and the cell itself, differ in their names.
        if above.child(name) in paths or name in list(above[-2:]):
            name = f"n{number}"
        paths.append(above.child(name))
    return Tree(paths)
