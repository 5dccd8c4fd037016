"""Refusals: messages of other cells that cannot be read, or may not come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cells import exceptions
from cells.counters import Counters
from cells.messages import Message, Origin, Response, ResponseMessage, salvage
from cells.neighbors import NeighborTable
from cells.routing.outcomes import UNREADABLE, Outcomes
from cells.routing.reply import Kind, Reply


@dataclass(kw_only=True, eq=False, repr=False)
class Refusals:
    """Counts, logs and answers refused messages.  Thread-safe."""

    cell_name: str
    table: NeighborTable
    counters: Counters
    outcomes: Outcomes
    max_message_bytes: int
    max_hop_count: int
    #: sends a reply to a message, as :meth:`cells.routing.router.Router.reply`
    reply: Callable[[Message, Reply], None]

    def refuse(self, came: object, error: exceptions.MessageError, origin: Origin) -> None:
        """Refuse a message; tell its sender, as far as that is possible.

        :param came: as in :func:`cells.messages.parse`
        :param error: why it is refused
        :param origin: the link over which it came
        """
        try:
            salvaged = self._salvage(came, error, origin)
        except exceptions.WrongLink as wrong:
            salvaged, error = None, wrong
        self.counters.count("rejected", type(error).__name__)
        self.outcomes.log.warn_about(type(error).__name__, "A message from another cell is refused: %s", error.message)
        if salvaged is None:
            self.outcomes.refused(UNREADABLE, error)
            return
        salvaged = salvaged.arrived_at(self.cell_name)
        # A refused answer has come the way back from the cell that it stands for.
        cell = salvaged.header.target.reversed() if isinstance(salvaged, ResponseMessage) else salvaged.route
        self.reply(salvaged, Reply(Kind.ANSWER, (Response(str(cell), error=error).encoded(),)))

    def _salvage(self, came: object, error: exceptions.MessageError, origin: Origin) -> Message | None:
        """Return as much of a refused message as its answer needs; None if it gets no answer.

        :raises cells.exceptions.WrongLink: the message came in the name of another cell
        """
        if isinstance(error, exceptions.UnregisteredSender):
            # An answer would have no way back.
            if error.sender != self.cell_name:
                self.table.record_request(str(error.sender))
            return None
        if isinstance(error, exceptions.WrongLink):
            # An answer would reach the cell in whose name it came.
            return None
        salvaged = salvage(came, self.max_message_bytes, self.max_hop_count)
        if salvaged is None:
            return None
        # A message that cannot be read was refused before this check.
        origin.check(salvaged.header.route.last, self.table.snapshot())
        if isinstance(error, exceptions.WrongDirection):
            header = salvaged.header
            return replace(salvaged, header=replace(header, direction=header.direction.opposite))
        return salvaged
