"""A message to all cells above or below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cells import versions
from cells.messages.base import HERE, Hop, Message, Plan, Toward
from cells.messages.validation import want
from cells.neighbors import Neighbors
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath


@dataclass(frozen=True, kw_only=True)
class BroadcastMessage(Message):
    """A call or cast of one method in every cell in one direction."""

    message_type: ClassVar[str] = "broadcast"

    #: whether the source runs it too; not sent: every other cell that gets it runs it
    run_locally: bool = True
    #: whether each cell answers to the source by itself, and not to the neighbor that sent it
    streams: bool = False

    @property
    def return_path(self) -> CellPath:
        """To the source; or one hop, where the neighbor that sent it gathers the answers of this whole branch."""
        return self.route.reversed() if self.streams else self.route[-2:].reversed()

    def plan(self, neighbors: Neighbors, toward: Toward) -> Plan:
        # At the hop limit a broadcast goes no further, and what it has reached answers.
        passed_on_to = neighbors.toward(self.direction).values() if self.hop_count < self.max_hop_count else ()
        run_here = self.run_locally or not self.is_at_source
        hops = tuple(self._hop(neighbor, toward(neighbor)) for neighbor in passed_on_to)
        awaited: tuple[str, ...] | None = None
        if self.needs_response:
            # A cell on the way waits only for a neighbor that gathers the answers of its branch.
            gathering = [hop for hop in hops if self._gathers_here or not _streams(hop.message)]
            awaited = tuple(hop.answered_by for hop in gathering)
            if run_here and self._gathers_here:
                awaited += (HERE,)
        return Plan(run_here=run_here, hops=hops, awaited=awaited, streams=not self._gathers_here)

    @property
    def _gathers_here(self) -> bool:
        return self.is_at_source or not self.streams

    def _hop(self, neighbor: Neighbor, version: str) -> Hop:
        can_stream = versions.speaks(version, versions.STREAMED_ANSWERS)
        message = self if can_stream or not self.streams else self.but(streams=False)
        return Hop(neighbor, message, answered_by=neighbor.name, version=version)

    def head(self, version: str) -> dict[str, Any]:
        keys = super().head(version)
        return {**keys, "stream": True} if self.streams else keys

    @classmethod
    def _fields(cls, data: Mapping[str, Any], default_max_hop_count: int, now: float) -> dict[str, Any]:
        fields = super()._fields(data, default_max_hop_count, now)
        return {**fields, "streams": want(data, "stream", bool, default=False)}


def _streams(message: Message) -> bool:
    return isinstance(message, BroadcastMessage) and message.streams
