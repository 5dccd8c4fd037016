"""Managers: the managers of one neighbor, their connections, and the choice among them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cells import exceptions
from cells.drivers.direct import errors
from cells.drivers.direct.connection import Connection
from cells.drivers.direct.events import Event
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.stream import Stream

#: A neighbor that names more managers gets no more connections: it is malfunctioning or hostile.
MAX_MANAGERS = 64


@dataclass(eq=False)
class Manager:
    """One process of the neighbor."""

    host: str
    incarnation: str
    stream: Stream
    #: the open connection; None while there is none
    connection: Connection | None
    #: when the last connection ended
    lost_at: float


class Managers:
    """Not thread-safe: its link locks."""

    def __init__(self, cell: str, own_incarnation: str) -> None:
        self._cell = cell
        self._own_incarnation = own_incarnation
        #: by incarnation
        self._managers: dict[str, Manager] = {}
        #: those with a connection; the first one has not been chosen for the longest time
        self._open: list[Manager] = []

    @property
    def is_connected(self) -> bool:
        return bool(self._open)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The managers that are connected, or were a short time ago."""
        return tuple(dict.fromkeys(manager.host for manager in self._managers.values()))

    def hosts_of_copies(self, message_class: MessageClass) -> tuple[str, ...]:
        """Return the managers that need a copy of a fan-out: not those that stop, unless no other one remains."""
        staying = [
            manager.host
            for manager in self._managers.values()
            if manager.connection is None or _takes(manager.connection, message_class)
        ]
        return tuple(dict.fromkeys(staying)) or self.hosts

    def __iter__(self) -> Iterator[Manager]:
        """Iterate over the managers with a connection."""
        return iter(self._open)

    def connected(self, incarnation: str) -> bool:
        """Return whether a manager has a connection."""
        return incarnation in self._managers and self._managers[incarnation].connection is not None

    def knows(self, incarnation: str, stream: Stream | None) -> bool:
        """Return whether a manager was not forgotten since its hello."""
        return incarnation in self._managers and self._managers[incarnation].stream is stream

    def find(self, hello: Hello, now: float) -> Stream:
        """Return the stream to the manager that says hello.

        :raises PeerRefused: the hello names another cell, or too many managers are known
        """
        if hello.cell != self._cell:
            raise errors.PeerRefused(
                f"A manager with the certificate of cell {self._cell} says that it belongs to {hello.cell!r:.80}: "
                "correct [cells] name there, or the registered name here.",
                cell=self._cell,
            )
        manager = self._managers.get(hello.incarnation)
        if manager is None:
            if len(self._managers) >= MAX_MANAGERS:
                raise errors.PeerRefused(
                    f"Cell {self._cell} has {MAX_MANAGERS} managers already, or has restarted them too often.",
                    cell=self._cell,
                )
            stream = Stream(self._own_incarnation, hello.incarnation)
            manager = Manager(hello.host, hello.incarnation, stream, None, now)
            self._managers[hello.incarnation] = manager
        return manager.stream

    def open(self, connection: Connection, hello: Hello) -> list[Event]:
        """Use a connection; return the events of the messages to earlier processes of the same host."""
        manager = self._managers[hello.incarnation]
        manager.connection = connection
        if manager not in self._open:
            self._open.append(manager)
        return [
            event
            for older in list(self._managers.values())
            if older.host == manager.host and older is not manager and older.connection is None
            for event in self._forget(older)
        ]

    def close(self, connection: Connection, now: float) -> list[Event]:
        """Use a connection no more; return the events of its messages if the host has a newer process."""
        for manager in self._open:
            if manager.connection is connection:
                manager.connection = None
                manager.lost_at = now
                self._open.remove(manager)
                if any(other.host == manager.host for other in self._open):
                    return self._forget(manager)
                break
        return []

    def expire(self, before: float) -> list[Event]:
        """Forget the managers that lost their connection before a time; return the events of their messages."""
        gone = [
            manager for manager in self._managers.values() if manager.connection is None and manager.lost_at <= before
        ]
        return [event for manager in gone for event in self._forget(manager)]

    @property
    def lost_at(self) -> float:
        """When the first manager without a connection lost it; infinite if all have one."""
        return min(
            (manager.lost_at for manager in self._managers.values() if manager.connection is None), default=math.inf
        )

    def choose(self, message_class: MessageClass, server: str) -> list[Connection]:
        """Return the connections that may take a message, the best one first.

        :param server: the host that has to receive it; empty: the manager with the lowest load, so that a frozen or
            slow one gets few messages; those with the same load take turns.  If that host has no connection, any
            manager takes an answer and hands it over
        :raises cells.exceptions.ManagerGone: the host is not known, or waits for no answer any more
        """
        found = [manager for manager in reversed(self._open) if manager.host == server] if server else []
        # A message of managers about each other that is for one manager is an answer, too.
        if server and (found or message_class is MessageClass.REQUEST):
            is_leaving = message_class is MessageClass.RESPONSE and not any(
                _takes(manager.connection, message_class) for manager in found
            )
            # It waits for no answer any more; a request can wait for the next process of that host.
            if (found and is_leaving) or (not found and server not in self.hosts):
                raise exceptions.ManagerGone(
                    f"Cell {self._cell} has no manager {server} with a connection to this manager.", cell=self._cell
                )
        else:
            found = self._open
            if len(found) > 1:
                found.append(found.pop(0))
                found = sorted(found, key=lambda manager: _load(manager, message_class))
        return [manager.connection for manager in found if manager.connection is not None]

    def status(self) -> list[dict[str, Any]]:
        """Return the managers with a connection, in plain values."""
        return [
            {
                "host": manager.host,
                "since": connection.since,
                "address": connection.address,
                "dialed": connection.is_dialed,
                "round_trip": session.round_trip,
                "credit": {
                    message_class.name.lower(): dict(
                        zip(("messages", "bytes"), session.credit(message_class), strict=True)
                    )
                    for message_class in MessageClass
                },
            }
            for manager in self._open
            if (connection := manager.connection) is not None and (session := connection.session) is not None
        ]

    def _forget(self, manager: Manager) -> list[Event]:
        del self._managers[manager.incarnation]
        return manager.stream.give_up()


def _takes(connection: Connection | None, message_class: MessageClass) -> bool:
    session = None if connection is None else connection.session
    return session is not None and session.takes(message_class)


def _load(manager: Manager, message_class: MessageClass) -> float:
    session = manager.connection.session if manager.connection is not None else None
    return math.inf if session is None else session.load(message_class)
