"""A message to one cell, up, down, or up and then down the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from cells import exceptions, versions
from cells.messages.base import HERE, RUN_HERE, Hop, Message, Plan, Toward
from cells.messages.validation import want
from cells.neighbors import Direction, Neighbors
from cells.path import ANY_NEIGHBOR, CellPath

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class TargetedMessage(Message):
    """A call or cast of one method in the cell at the end of ``target``."""

    message_type: ClassVar[str] = "targeted"

    #: the whole way from the source to the target cell
    target: CellPath

    @property
    def is_at_target(self) -> bool:
        return self.route == self.target

    @property
    def return_path(self) -> CellPath:
        return self.route.reversed()

    def missing(self, part: str) -> CellPath:  # noqa: ARG002  # whoever was silent, the target was asked
        return self.target

    def plan(self, neighbors: Neighbors, toward: Toward) -> Plan:
        waits = self.is_at_source and self.needs_response
        if self.is_at_target:
            return Plan(run_here=True, awaited=(HERE,)) if waits else RUN_HERE
        hop = self._next_hop(neighbors, toward)
        return Plan(hops=(hop,), awaited=(hop.answered_by,) if waits else None)

    def _next_hop(self, neighbors: Neighbors, toward: Toward) -> Hop:
        if not self.route.is_prefix_of(self.target):
            raise exceptions.RoutingInconsistency(
                f"A message for {self.target} came by {self.route}, which does not lead there: "
                "check under which names the cells on the way have registered each other.",
                cell=self.here,
                route=str(self.route),
                target=str(self.target),
            )
        if self.hop_count >= self.max_hop_count:
            raise exceptions.MaxHopCountReached(
                f"A message for {self.target} was passed on {self.hop_count} times and is still on its way: raise "
                "[cells] max_hop_count in the cell it came from if the tree is that deep.",
                cell=self.here,
                hop_count=self.hop_count,
            )
        name = self.target[len(self.route)]
        neighbor = neighbors.toward(self.direction).get(name)
        direction = self.direction
        if neighbor is None and direction is Direction.UP and name in neighbors.children:
            # This cell is the common ancestor of source and target: from here it goes down.
            neighbor, direction = neighbors.children[name], Direction.DOWN
        if neighbor is None:
            kind = "child" if direction is Direction.DOWN else "neighbor"
            raise exceptions.CellNotFound(
                f"The cell {self.here} has no {kind} {name!r} to pass on a message for {self.target}: "
                f'register it there with "cells neighbor create".',
                cell=name,
            )
        # There is one answer, and it may be that the neighbor has another name than we think.
        return Hop(neighbor, self.forwarded_by(direction), answered_by=ANY_NEIGHBOR, version=toward(neighbor))

    def forwarded_by(self, direction: Direction) -> Self:
        """The message as it leaves this cell."""
        return self if direction is self.direction else self.but(direction=direction)

    def head(self, version: str) -> dict[str, Any]:
        if self.trace is not None and not versions.speaks(version, versions.TRACE):
            raise exceptions.RPCVersionCapError(
                f"A trace to {self.target} needs version {versions.TRACE} of the inter-cell API on every link, and "
                f"{self.here} speaks {version} to the next cell: raise the cap, or upgrade that cell; "
                '"cells upgrade matrix" shows which.',
                cell=self.here,
            )
        return {**super().head(version), "target_cell": str(self.target)}

    @classmethod
    def _fields(cls, data: Mapping[str, Any], default_max_hop_count: int, now: float) -> dict[str, Any]:
        target = CellPath.parse(want(data, "target_cell", str))
        return {**super()._fields(data, default_max_hop_count, now), "target": target}
