"""Direct replies: on its last hop the value of an answer goes to the calling client, and not through its manager.

The manager that asked still waits: it gets a short notice a little later, or the whole answer if the client was not
reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cells import exceptions
from cells.counters import Counters
from cells.links import Links
from cells.messages import Hop, ResponseMessage
from cells.routing.reply import DELIVERED, LOG_ONLY

#: No caller waits for a notice, and a notice that is sent at once competes for the processor with the next message, for
#: which a caller does wait.  So a notice waits for others to share its cast: long for a series of calls, short for a
#: manager that stops when it has heard of all its calls.
NOTICE_DELAY_SECONDS = 0.1


@dataclass(eq=False, repr=False)
class DirectReplies:
    """Sends values directly to clients.  Thread-safe."""

    #: :meth:`cells.routing.router.Router.forward`: sends the manager its notice, or the answer that the client does not
    #: get
    forward: Callable[..., None]
    links: Links
    counters: Counters

    def send(self, response: ResponseMessage, hop: Hop) -> bool:
        """Send the value of an answer to its client.

        :param response: see :func:`cells.messages.for_client`
        :param hop: the last hop of the answer
        :returns: False if nothing is sent, because the driver cannot, or the answer is not just a value
        """
        value = response.value_text() if self.links.reaches_clients(hop.neighbor) else None
        if value is None:
            return False

        def on_failure(_: exceptions.CellsError) -> None:
            """Send the manager the answer."""
            self.forward(replace(response, reply_to=""), hop, LOG_ONLY)

        def on_sent() -> None:
            """Send the manager the notice that the client has the value."""
            self.counters.count("shortcut")
            notice = response.delivered(DELIVERED.responses[0])
            self.forward(notice, hop, LOG_ONLY, hold_seconds=NOTICE_DELAY_SECONDS)

        self.links.reply_to_client(hop.neighbor, response.reply_to, value, on_failure, on_sent)
        return True
