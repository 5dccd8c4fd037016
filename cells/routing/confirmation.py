"""Confirmation: the callers of casts that wait until the next cell has the message, but no longer than their timeout.

A link may keep a cast for longer than its caller waits: until it is connected again, or until its broker answers.  The
caller then gets an error which says that the cast may still arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from cells import exceptions
from cells.messages import EncodedResponse, Message, Response, TargetedMessage
from cells.routing.pending import ToPending
from cells.routing.reply import LOG_ONLY, Sink, settle


@dataclass(frozen=True)
class ToConfirmation(ToPending):
    """Sink of a cast whose caller waits until it is delivered."""

    def claim(self) -> Sink:
        """End the wait, and return the sink of the caller, which gets no other reply; LOG_ONLY if it waits no more.

        At most one of this claim, a reply and the timeout ends the wait: a loss is either told or counted as lost.
        """
        return self.pending.forget(self.message_id) or LOG_ONLY


@dataclass(frozen=True)
class Unconfirmed:
    """Source of the answer to a caller whose timeout ends before the fate of its cast is known."""

    message: TargetedMessage
    seconds: float

    def responses(self, part: str, named: Collection[str], *, is_stopping: bool) -> tuple[EncodedResponse, ...]:  # noqa: ARG002  # as of Substitutes
        """Return the error of a cast that may still arrive."""
        message, header = self.message, self.message.header
        if is_stopping:
            reason = "this manager was stopped before that"
        elif header.is_at_target:
            reason = f"nothing was confirmed within {self.seconds:.3g} seconds"
        else:
            reason = (
                f"it did not do so within {self.seconds:.3g} seconds, because the link to it is reconnecting or slow "
                '("cells neighbor status" shows it); the message still waits'
            )
        taker = "The broker of this cell" if header.is_at_target else f"Cell {header.target[len(header.route)]}"
        text = (
            f"{taker} has not taken {message.title} for cell {header.target}: {reason}. {exceptions.MAY_HAVE_ARRIVED}"
        )
        error = exceptions.NeighborUnreachable(text, cell=str(header.target), may_arrive=True)
        return (Response(str(message.route), error=error).encoded(),)


@dataclass(slots=True, eq=False, repr=False)
class DeliveryReport:
    """The outcome of a message that was left in a send queue."""

    not_delivered: Callable[[Message, Sink, str, exceptions.CellsError], None]
    message: Message
    neighbor: str
    sink: Sink

    def delivered(self) -> None:
        """The neighbor has the message."""
        settle(self.sink, Response(str(self.message.route)))

    def failed(self, error: exceptions.CellsError) -> None:
        """The message was not delivered."""
        self.not_delivered(self.message, self.sink, self.neighbor, error)
