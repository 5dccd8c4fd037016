"""A message to all cells above or below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cells.messages.base import Hop, Message, Plan
from cells.neighbors import Neighbors
from cells.path import CellPath


@dataclass(frozen=True, kw_only=True)
class BroadcastMessage(Message):
    """A call or cast of one method in every cell in one direction."""

    message_type: ClassVar[str] = "broadcast"

    #: whether the source runs it too; not sent: every other cell that gets it runs it
    run_locally: bool = True

    @property
    def return_path(self) -> CellPath:
        """One hop: the neighbour that sent it gathers the answers of this whole branch."""
        return self.route[-2:].reversed()

    def plan(self, neighbors: Neighbors) -> Plan:
        # At the hop limit a broadcast goes no further, and what it has reached answers.
        passed_on_to = neighbors.toward(self.direction).values() if self.hop_count < self.max_hop_count else ()
        return Plan(
            run_here=self.run_locally or not self.is_at_source,
            hops=tuple(Hop(neighbor, self, answered_by=neighbor.name) for neighbor in passed_on_to),
            gathers=self.needs_response,
        )
