"""A message to all cells above or below."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from cells import versions
from cells.messages.base import Message
from cells.messages.header import HERE, Header, Hop, Plan, Toward, key
from cells.messages.validation import want_flag
from cells.neighbors import Neighbors
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class BroadcastHeader(Header):
    """Header of a message to every cell in one direction."""

    message_type: ClassVar[str] = "broadcast"

    #: whether each cell answers the source by itself, instead of the neighbor that sent the message
    streams: bool = field(
        default=False, metadata=key("stream", want_flag, since=versions.STREAMED_ANSWERS, omitted=False)
    )
    #: whether the source runs the message too.  Not sent: every other cell that gets the message runs it
    run_locally: bool = True

    @property
    def return_path(self) -> CellPath:
        """To the source; or one hop, if the neighbor that sent the message gathers the answers of this branch."""
        return self.route.reversed() if self.streams else self.route[-2:].reversed()

    def plan(self, neighbors: Neighbors, toward: Toward) -> Plan:
        # At the hop limit a broadcast goes no further, and the cells that it has reached answer.
        receivers = neighbors.toward(self.direction).values() if self.hop_count < self.max_hop_count else ()
        run_here = self.run_locally or not self.is_at_source
        gathers_here = self.is_at_source or not self.streams
        hops = tuple(self._hop_to(neighbor, toward) for neighbor in receivers)
        awaited: tuple[str, ...] | None = None
        if self.needs_response:
            # A cell on the way waits only for a neighbor that gathers the answers of its branch.
            awaited = tuple(hop.answered_by for hop in hops if gathers_here or not _streams(hop.header))
            if run_here and gathers_here:
                awaited += (HERE,)
        return Plan(run_here=run_here, hops=hops, awaited=awaited, streams=not gathers_here)

    def _hop_to(self, neighbor: Neighbor, toward: Toward) -> Hop:
        hop = self.hop(neighbor, self, neighbor.name, toward)
        if not self.streams or versions.speaks(hop.version, versions.STREAMED_ANSWERS):
            return hop
        return replace(hop, header=replace(self, streams=False))


def _streams(header: Header) -> bool:
    return isinstance(header, BroadcastHeader) and header.streams


@dataclass(frozen=True, kw_only=True)
class BroadcastMessage(Message):
    """Call or cast of one method in every cell in one direction."""

    header_class: ClassVar[type[Header]] = BroadcastHeader
    message_type: ClassVar[str] = BroadcastHeader.message_type

    header: BroadcastHeader

    def streaming(self) -> Self:
        """Return the message, whose answers each cell sends to the source by itself."""
        return replace(self, header=replace(self.header, streams=True))
