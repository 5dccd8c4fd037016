"""Messages that have come already: what is to run at most once must not run again when it comes twice.

A broker may deliver a message again, a sender that lost its connection may send it
again, and with several parents a broadcast comes by several ways.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from cells import exceptions
from cells.path import CellPath

#: A second one comes soon or not at all.
MAX_MESSAGES = 20_000


class SeenMessages:
    """The last messages that ran in this manager, by id.  Thread-safe."""

    def __init__(self, max_messages: int = MAX_MESSAGES) -> None:
        self._max_messages = max_messages
        self._lock = threading.Lock()
        #: id -> hash of its route: a neighbor may send routes of a million cells, and this keeps thousands of them
        self._routes: OrderedDict[str, int] = OrderedDict()

    def is_new(self, message_id: str, route: CellPath) -> bool:
        """Note a message; False if the same has come by the same way, whose sender gets the answer to the first.

        :raises cells.exceptions.DuplicateMessageError: it has come by another way, which waits for an answer of its own
        """
        came_by = hash(route)
        with self._lock:
            known = self._routes.get(message_id)
            if known is None:
                self._routes[message_id] = came_by
                if len(self._routes) > self._max_messages:
                    self._routes.popitem(last=False)
                return True
        if known == came_by:
            return False
        raise exceptions.DuplicateMessageError(
            f"The message {message_id} came by {route!s:.200} after it had come by another way, and runs once.",
            cell=route.last,
        )
