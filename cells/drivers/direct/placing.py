"""Placing: the way of each message to a neighbor: a connection, a sibling that has one, or the wait for either."""

from __future__ import annotations

from collections.abc import Callable

from cells import exceptions
from cells.drivers.direct.availability import Availability
from cells.drivers.direct.connection import Connection
from cells.drivers.direct.managers import Managers
from cells.drivers.direct.message import Message, copies
from cells.drivers.direct.outbox import Outbox


class Placing:
    """Not thread-safe: its link locks."""

    def __init__(
        self,
        managers: Managers,
        outbox: Outbox,
        availability: Availability,
        pass_on: Callable[[Message], bool],
        clock: Callable[[], float],
    ) -> None:
        """:param pass_on: gives a message to a sibling; returns False if none can send it"""
        self._managers = managers
        self._outbox = outbox
        self._availability = availability
        self._pass_on = pass_on
        self._clock = clock
        #: connections whose sessions have been given messages since the link has looked
        self.dirty: dict[Connection, None] = {}

    def place(self, message: Message) -> None:
        """Give a message of the outbox to a session or a sibling, or let it wait."""
        if not self._managers.is_connected and self._is_passed(message):
            return
        if message.fanout and self._managers.hosts:
            self._outbox.withdraw(message)
            for one in copies(message, self._managers.hosts_of_copies(message.message_class)):
                if self._outbox.add(one):
                    self.place(one)
            return
        try:
            for connection in self._managers.choose(message.message_class, message.server):
                session = connection.session
                is_urgent = message.deadline is not None
                if session is not None and session.send(
                    message.message_class, message.payload, message, is_urgent=is_urgent
                ):
                    self._outbox.hand_over(message)
                    self.dirty[connection] = None
                    return
        except exceptions.ManagerGone as error:
            # After the start of this manager, those of the neighbor need time to connect.
            if self._clock() >= self._availability.started_at:
                self._outbox.finish(message, error)
                return
        except exceptions.CellsError as error:
            self._outbox.finish(message, error)
            return
        self._outbox.wait(message)

    def _is_passed(self, message: Message) -> bool:
        """Pass a message to a sibling; return False if it waits for a connection of this manager."""
        if message.is_passed:
            # The sibling that has passed it finds another way.
            self._outbox.finish(message, self._availability.unconnected())
            return True
        if self._availability.through and self._pass_on(message):
            self._outbox.hand_over(message)
            return True
        return False
