"""The end of a message that this cell gives up: it is counted in the ledger of losses, and its sender gets an error.

The log of such messages is limited: a neighbor could fill it with messages that fail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cells import exceptions, failure
from cells.context import MessageContext
from cells.limited_log import FirstTimes, LimitedLog
from cells.links.losses import Key, Losses, Tally
from cells.messages import Message, Response
from cells.neighbors import Neighbors
from cells.routing.confirmation import ToConfirmation
from cells.routing.reply import LOG_ONLY, Sink, settle

LOG = logging.getLogger(__name__)

#: In front of the reason of a message that this cell did not run or forward.
HERE_PREFIX = "here: "
#: Kind of messages that were read from the broker, and not looked at yet.
RECEIVED = "received"
#: Kind of a message that could not be read.
UNREADABLE = "unreadable"


@dataclass(eq=False, repr=False)
class Outcomes:
    """Counts and answers messages that are given up.  Thread-safe."""

    cell_name: str = ""
    losses: Losses = field(default_factory=Losses)
    #: returns the registered neighbors: other names, which a message can contain, are not counted apart
    neighbors: Callable[[], Neighbors] = Neighbors
    log: LimitedLog = field(default_factory=partial(LimitedLog, LOG))
    _unknown_methods: FirstTimes = field(default_factory=FirstTimes)

    def log_about(
        self, message: Message, reason: str, text: str, *arguments: object, level: int = logging.INFO
    ) -> bool:
        """Log a line about a problem of ``message``.

        :param reason: the kind of the problem; lines about messages of one neighbor are limited for each of them
        :returns: whether the line was logged
        """
        if not message.is_at_source and level > logging.DEBUG:
            subject = f"messages of {self._came_from(message)} ({reason})"
            return self.log.log_about(level, subject, text, *arguments, extra=_context_of(message))
        LOG.log(level, text, *arguments, extra=_context_of(message))
        return LOG.isEnabledFor(level)

    def settle(self, message: Message, sink: Sink, response: Response) -> None:
        """Give ``sink`` the response of this cell to ``message``; log an error that this cell has found.

        The log has one line about each method that a neighbor calls and this cell does not have: a cell of Nova sends
        some of its methods to all cells again and again.
        """
        error = response.error
        if isinstance(error, exceptions.CellsError):
            # The link has logged a message that no neighbor has taken.
            is_logged = isinstance(error, exceptions.DeliveryError) and not isinstance(
                error, exceptions.ServiceUnreachable
            )
            if isinstance(error, exceptions.UnknownMethod):
                is_logged = not self._unknown_methods.is_first(self._came_from(message), message.method)
            self.log_about(
                message,
                type(error).__name__,
                "A %s message (%s) from %s failed%s: %s",
                message.message_type,
                message.method,
                message.route.first,
                ", and no caller waits for it" if sink is LOG_ONLY else "",
                failure.text_of(error),
                level=logging.DEBUG if is_logged else logging.INFO,
            )
        settle(sink, response)

    def not_delivered(self, message: Message, sink: Sink, neighbor: str, error: exceptions.CellsError) -> None:
        """Settle a message that ``neighbor`` did not get."""
        sink = _claimed(sink)
        self._count(neighbor, type(error).__name__, message, sink, may_arrive=_may_arrive(error))
        self.settle(message, sink, Response(str(message.route.child(neighbor)), error=error))

    def not_run(self, message: Message, sink: Sink, response: Response) -> None:
        """Settle a message that this cell neither runs nor forwards.

        :param response: with the error that says why
        """
        sink, reason = _claimed(sink), HERE_PREFIX + type(response.error).__name__
        self._count(self._came_from(message), reason, message, sink, may_arrive=_may_arrive(response.error))
        self.settle(message, sink, response)

    def refused(self, kind: str, error: exceptions.CellsError, times: int = 1) -> None:
        """Count lost messages that there is no message to settle of: unreadable, or of a service of this cell."""
        self.losses.give_up(Key(self.cell_name, kind, HERE_PREFIX + type(error).__name__), Tally(lost=times))

    def begin(self, message: Message) -> None:
        """Count a message as in flight in this cell, until it has run or is given up."""
        self.losses.accept(self.cell_name, [message.header.kind])

    def end(self, message: Message) -> None:
        """Count a message as no longer in flight in this cell."""
        self.losses.pass_on(self.cell_name, [message.header.kind])

    def take(self, casts: int) -> None:
        """Count casts that a broker is about to forget as in flight, before their kinds are known."""
        if casts:
            self.losses.accept(self.cell_name, [RECEIVED] * casts)

    def pass_on(self, casts: int) -> None:
        """End what :meth:`take` began: the casts are counted under their kinds now, or have run."""
        if casts:
            self.losses.pass_on(self.cell_name, [RECEIVED] * casts)

    def refuse(self, casts: int, error: exceptions.CellsError) -> None:
        """Count casts that are refused unread."""
        if casts:
            self.refused(UNREADABLE, error, casts)

    def _count(self, cell: str, reason: str, message: Message, sink: Sink, *, may_arrive: bool) -> None:
        is_told = sink is not LOG_ONLY
        outcome = Tally(lost=not is_told and not may_arrive, may_have_arrived=not is_told and may_arrive, told=is_told)
        self.losses.give_up(Key(cell, message.header.kind, reason), outcome)

    def _came_from(self, message: Message) -> str:
        if message.is_at_source:
            return self.cell_name
        name = message.route[-2]
        return name if name in self.neighbors().all() else self.cell_name


def _claimed(sink: Sink) -> Sink:
    """Return the sink that gets the error of a lost message; LOG_ONLY if its caller waits no more."""
    return sink.claim() if isinstance(sink, ToConfirmation) else sink


def _may_arrive(error: BaseException | None) -> bool:
    return bool(getattr(error, "may_arrive", None))


def _context_of(message: Message) -> dict[str, object]:
    """Return the attributes of a log record that have the request id of ``message``."""

    def values() -> Mapping[str, Any]:
        # Read only if the record is written: the message may be large.
        try:
            return message.content().context
        except exceptions.MessageError:
            return {}

    return {"context": MessageContext(values)}
