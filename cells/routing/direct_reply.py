"""Direct replies: on its last hop the value of an answer goes to the calling client, and not through its manager.

The manager that asked still waits: it gets a short notice a little later, and the whole answer if the client was not
reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from cells import exceptions, versions
from cells.counters import Counters
from cells.links import Links
from cells.messages import Hop, ResponseMessage
from cells.routing.receipts import Receipts
from cells.routing.reply import DELIVERED, LOG_ONLY
from cells.transport.reply_address import ReplyAddress

if TYPE_CHECKING:
    from cells.routing.router import Router


class ClientReply(NamedTuple):
    """What travels to the queue on which a client waits: the value that an endpoint returned."""

    message_type: str
    version: str
    reply_to: ReplyAddress
    #: JSON text of the value
    value: str
    fanout: bool = False
    server: str = ""
    deadline: float | None = None
    may_share_a_cast: bool = False

    @property
    def size_bytes(self) -> int:
        """About the length of the text, and of the answer in its other form, which is kept until the client has it."""
        return 2 * len(self.value) + 400

    def is_late(self, now: float) -> bool:  # noqa: ARG002  # as of other messages; the source knows when it is over
        """Never: what it costs is spent."""
        return False

    def to_json(self) -> str:
        """The value alone: what is around it is the driver's."""
        return self.value

    def to_item(self) -> dict[str, Any]:
        """It shares no cast."""
        raise TypeError("An answer to a client travels alone.")


class DirectReplies:
    """Sends values directly to clients.  Thread-safe."""

    def __init__(self, router: Router, links: Links, receipts: Receipts, counters: Counters) -> None:
        """:param router: forwards to the manager what the client does not get"""
        self._router = router
        self._links = links
        self.receipts = receipts
        self.counters = counters

    def send(self, hop: Hop) -> bool:
        """Send the value of an answer to ``hop.message.client``.

        :param hop: the last hop of an answer that has a client
        :returns: False if nothing is sent, because the link or the driver cannot, or the answer is not just a value
        """
        response = hop.message
        version = response.form or hop.version
        if not isinstance(response, ResponseMessage) or not versions.speaks(version, response.reply_to_since):
            return False
        if not self._links.reaches_clients(hop.neighbor):
            return False
        address, value = ReplyAddress.parse(response.client), response.value_text()
        if value is None or address is None:
            return False
        attempt = _Attempt(self, self._router, hop, response)
        reply = ClientReply(response.message_type, version, address, value)
        self._links.send(hop.neighbor, reply, attempt.failed, attempt.sent)
        return True


@dataclass(frozen=True)
class _Attempt:
    """One direct reply, and the two messages of which the manager gets one."""

    direct_replies: DirectReplies
    router: Router
    hop: Hop
    response: ResponseMessage

    def failed(self, _: exceptions.CellsError) -> None:
        """Send the manager the answer."""
        self.router.forward(replace(self.hop, message=self.response.but(reply_to="")), LOG_ONLY)

    def sent(self) -> None:
        """Send the manager the notice."""
        self.direct_replies.counters.count("shortcut")
        self.direct_replies.receipts.add(self._notify)

    def _notify(self) -> None:
        notice = self.response.delivered(DELIVERED.responses[0])
        self.router.forward(replace(self.hop, message=notice), LOG_ONLY)
