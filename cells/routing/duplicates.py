"""The messages that have run in this manager, so that a message that arrives twice runs at most once.

A broker may deliver a message again, a sender that lost its connection may send a message again, and with several
parents a broadcast arrives by several routes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from cells import exceptions
from cells.path import CellPath

#: A duplicate arrives soon or not at all.
MAX_MESSAGES = 20_000


class SeenMessages:
    """Ids and routes of the last messages that ran in this manager.  Thread-safe."""

    def __init__(self, max_messages: int = MAX_MESSAGES) -> None:
        self._max_messages = max_messages
        self._lock = threading.Lock()
        #: id -> hash of the route: a route may have a million cells, and this table keeps thousands of routes
        self._routes: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of messages that are kept."""
        return len(self._routes)

    def is_new(self, message_id: str, route: CellPath) -> bool:
        """Record a message; return False if it has arrived by the same route before, to which the first run replies.

        :raises cells.exceptions.DuplicateMessageError: it has arrived by another route, on which a sender waits for an
            answer, too
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
            f"The message {message_id} arrived by the route {route.as_route} after it had arrived by another: "
            "it runs once.",
            cell=route.last,
        )
