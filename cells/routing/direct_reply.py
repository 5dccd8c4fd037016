"""The shortcut on the last link of the way back: what a call returns goes to its client, not through its manager.

The manager that asked still waits for it: it is told, a little later, that the client has its answer, and gets the
answer itself if the client could not be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cells import exceptions
from cells.counters import Counters
from cells.links import Links
from cells.messages import Hop, ResponseMessage
from cells.routing.receipts import Receipts

HandOver = Callable[[Hop], object]


class Shortcut:
    """Sends answers straight to clients.  Thread-safe."""

    def __init__(self, links: Links, receipts: Receipts, counters: Counters) -> None:
        self._links = links
        self._receipts = receipts
        self._counters = counters

    def take(self, hop: Hop, hand_over: HandOver) -> bool:
        """Send the client what it waits for, if the hop is the last one of an answer to it.

        :param hand_over: sends its manager what it has to know, once that is known
        :returns: False if there is nothing to send, so that the hop has to be made as usual
        """
        response = hop.message
        if not isinstance(response, ResponseMessage) or not response.reply_to:
            return False
        reply = response.client_reply(response.form or hop.version)
        if reply is None or not self._links.reaches_clients(hop.neighbor):
            return False

        # Small: it is kept until it is told.
        told = replace(hop, message=response.answered())

        def not_sent(_: exceptions.CellsError) -> None:
            hand_over(replace(hop, message=response.but(reply_to="")))

        def sent() -> None:
            self._counters.count("shortcut")
            self._receipts.add(lambda: hand_over(told))

        self._links.send(hop.neighbor, reply, not_sent, sent)
        return True
