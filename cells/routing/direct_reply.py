"""Direct replies: on its last hop the value of an answer goes to the calling client, and not through its manager.

The manager that asked still waits: it gets a short notice a little later, or the whole answer if the client was not
reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cells import exceptions, versions
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

    def send(self, hop: Hop) -> bool:
        """Send the value of an answer to ``hop.message.client``.

        :param hop: the last hop of an answer that has a client
        :returns: False if nothing is sent, because the link or the driver cannot, or the answer is not just a value
        """
        response = hop.message
        version = response.form or hop.version
        if not isinstance(response, ResponseMessage) or not versions.speaks(version, response.reply_to_since):
            return False
        value = response.value_text() if self._links.reaches_clients(hop.neighbor) else None
        if value is None:
            return False
        attempt = _Attempt(self, hop, response)
        self._links.reply_to_client(hop.neighbor, response.client, value, attempt.failed, attempt.sent)
        return True


@dataclass(frozen=True)
class _Attempt:
    """One direct reply, and the two messages of which the manager gets one."""

    direct_replies: DirectReplies
    hop: Hop
    response: ResponseMessage

    def failed(self, _: exceptions.CellsError) -> None:
        """Send the manager the answer."""
        answer = self.response.but(reply_to="")
        self.direct_replies.router.forward(replace(self.hop, message=answer), LOG_ONLY)

    def sent(self) -> None:
        """Send the manager the notice that the client has the value."""
        self.direct_replies.counters.count("shortcut")
        notice = self.response.delivered(DELIVERED.responses[0])
        hop = replace(self.hop, message=notice)
        self.direct_replies.router.forward(hop, LOG_ONLY, hold_seconds=NOTICE_DELAY_SECONDS)
