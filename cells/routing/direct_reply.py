"""Direct replies: on its last hop the value of an answer goes to the calling client, and not through its manager.

The manager that asked still waits: it gets a short notice a little later, or the whole answer if the client was not
reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cells import exceptions
from cells.counters import Counters
from cells.links import Links
from cells.messages import Hop, ResponseMessage
from cells.routing.reply import DELIVERED, LOG_ONLY

if TYPE_CHECKING:
    from cells.routing.router import Router

#: No caller waits for a notice, and a notice that is sent at once competes for the processor with the next message, for
#: which a caller does wait.  So a notice waits for others to share its cast: long for a series of calls, short for a
#: manager that stops when it has heard of all its calls.
NOTICE_DELAY_SECONDS = 0.1


class DirectReplies:
    """Sends values directly to clients.  Thread-safe."""

    def __init__(self, router: Router, links: Links, counters: Counters) -> None:
        """:param router: sends the manager its notice, or the answer that the client does not get"""
        self.router = router
        self.counters = counters
        self._links = links

    def send(self, response: ResponseMessage, hop: Hop) -> bool:
        """Send the value of an answer to its client.

        :param response: see :meth:`cells.messages.Message.for_client`
        :param hop: the last hop of the answer
        :returns: False if nothing is sent, because the driver cannot, or the answer is not just a value
        """
        value = response.value_text() if self._links.reaches_clients(hop.neighbor) else None
        if value is None:
            return False
        attempt = _Attempt(self, hop, response)
        self._links.reply_to_client(hop.neighbor, response.reply_to, value, attempt.failed, attempt.sent)
        return True


@dataclass(frozen=True)
class _Attempt:
    """One direct reply, and the two messages of which the manager gets one."""

    direct_replies: DirectReplies
    hop: Hop
    response: ResponseMessage

    def failed(self, _: exceptions.CellsError) -> None:
        """Send the manager the answer."""
        self.direct_replies.router.forward(replace(self.response, reply_to=""), self.hop, LOG_ONLY)

    def sent(self) -> None:
        """Send the manager the notice that the client has the value."""
        self.direct_replies.counters.count("shortcut")
        notice = self.response.delivered(DELIVERED.responses[0])
        self.direct_replies.router.forward(notice, self.hop, LOG_ONLY, hold_seconds=NOTICE_DELAY_SECONDS)
