"""A message to one cell, up, down, or up and then down the tree."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from cells import exceptions, versions
from cells.messages.base import Message
from cells.messages.header import HERE, RUN_HERE, Header, Hop, Plan, Toward, key
from cells.messages.validation import want_path
from cells.neighbors import Direction, Neighbors
from cells.path import CellPath, any_below

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class TargetedHeader(Header):
    """Header of a message to the cell at the end of ``target``."""

    message_type: ClassVar[str] = "targeted"

    #: the whole way from the source to the target cell
    target: CellPath = field(metadata=key("target_cell", want_path, write=str))

    @property
    def is_at_target(self) -> bool:
        return self.route == self.target

    @property
    def return_path(self) -> CellPath:
        return self.route.reversed()

    def missing(self, part: str) -> CellPath:  # noqa: ARG002  # only the target was asked
        return self.target

    def plan(self, neighbors: Neighbors, toward: Toward) -> Plan:
        gathers = self.is_at_source and self.needs_response
        if self.is_at_target:
            return Plan(run_here=True, awaited=(HERE,)) if gathers else RUN_HERE
        hop = self._next_hop(neighbors, toward)
        return Plan(hops=(hop,), awaited=(hop.answered_by,) if gathers else None)

    def _next_hop(self, neighbors: Neighbors, toward: Toward) -> Hop:
        if not self.route.is_prefix_of(self.target):
            raise exceptions.RoutingInconsistency(
                f"A message for the route {self.target.as_route} came by {self.route.as_route}, which differs: "
                "check under which names the cells on the way have registered each other.",
                cell=self.here,
                route=str(self.route),
                target=str(self.target),
            )
        if self.hop_count >= self.max_hop_count:
            raise exceptions.MaxHopCountReached(
                f"A message for the route {self.target.as_route} was forwarded {self.hop_count} times and has not "
                "arrived: raise [cells] max_hop_count in the cell it came from if the tree is that deep.",
                cell=self.here,
                hop_count=self.hop_count,
            )
        name = self.target[len(self.route)]
        neighbor = neighbors.toward(self.direction).get(name)
        direction = self.direction
        if neighbor is None and direction is Direction.UP and name in neighbors.children:
            # This cell is the common ancestor of source and target: from here the message goes down.
            neighbor, direction = neighbors.children[name], Direction.DOWN
        if neighbor is None:
            kind = "child" if direction is Direction.DOWN else "neighbor"
            raise exceptions.CellNotFound(
                f"The cell {self.here} has no {kind} {name!r} to forward a message for the route "
                f'{self.target.as_route}: register it there with "cells neighbor create".',
                cell=name,
            )
        # The target answers, or a cell on the way to it.
        return self.hop(neighbor, self.forwarded(direction), any_below(name), toward)

    def forwarded(self, direction: Direction) -> Self:
        """Return the header as the message leaves this cell."""
        header: Self | None = self.derived.get(direction)
        if header is None:
            header = self._forwarded(direction)
            if header is not self:  # a header that refers to itself would wait for the garbage collector
                self.derived[direction] = header
        return header

    def _forwarded(self, direction: Direction) -> Self:
        return self if direction is self.direction else replace(self, direction=direction)


@dataclass(frozen=True, kw_only=True)
class TargetedMessage(Message):
    """Call or cast of one method in one cell."""

    header_class: ClassVar[type[Header]] = TargetedHeader
    message_type: ClassVar[str] = TargetedHeader.message_type

    header: TargetedHeader

    def carries_trace(self, version: str) -> bool:
        if not versions.speaks(version, versions.TRACE):
            raise exceptions.RPCVersionCapError(
                f"A trace on the route {self.header.target.as_route} needs version {versions.TRACE} of the inter-cell "
                f"API on every link, and {self.here} speaks {version} to the next cell: raise the cap, or upgrade that "
                'cell; "cells upgrade matrix" shows which.',
                cell=self.here,
            )
        return True
