"""The parts with which both RPC endpoints of a manager send the requests of services to other cells."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from typing import TypeVar

from cells.futures import then
from cells.manager.answer_streams import AnswerStreams
from cells.manager.held_requests import HeldRequests
from cells.manager.message_factory import OutgoingMessages
from cells.messages import TargetedMessage
from cells.routing.reply import Kind, Reply
from cells.routing.router import Router
from cells.routing.waiting_call import Monitor
from cells.transport.server import AlreadyAnswered

T = TypeVar("T")


@dataclass(kw_only=True, eq=False, repr=False)
class Requests:
    """Sender of requests of services of this cell.  Thread-safe."""

    #: the RPC server name of this manager, from which clients fetch streamed answers
    host: str
    router: Router
    outgoing: OutgoingMessages
    streams: AnswerStreams
    held: HeldRequests
    #: whether the cell that answers may send a value directly to the client
    accepts_direct_replies: bool = True

    def call(  # noqa: PLR0913  # the last three by keyword
        self,
        message: TargetedMessage,
        seconds: float,
        read: Callable[[Reply], T],
        *,
        client: str,
        monitor: Monitor | None = None,
        into: futures.Future[T] | None = None,
    ) -> futures.Future[T]:
        """Send a call; return a future of the value that ``read`` returns for the reply.

        The error of the future is AlreadyAnswered if the client has got the value directly.

        :param client: the address to which the value may be sent directly; empty: the value comes in the reply
        :param monitor: as of :meth:`cells.routing.router.Router.send`
        :param into: the future to complete, instead of a new one
        """

        client = client if self.accepts_direct_replies else ""

        def read_unless_delivered(reply: Reply) -> T:
            if reply.kind is Kind.DELIVERED:
                raise AlreadyAnswered
            return read(reply)

        sent = self.router.send(message.with_values(reply_to=client), seconds, monitor=monitor)
        return then(sent, read_unless_delivered if client else read, into=into)
