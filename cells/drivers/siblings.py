"""Siblings: the managers of one cell, and the contract of the bus over which they help each other to reach neighbors.

A driver whose links are connections of single managers uses it.  If a manager has no connection to a neighbor, a
sibling that has one sends its messages, and hands over the messages that the neighbor sends for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import Protocol

from cells import exceptions

#: Neighbor -> the hosts of its managers that have a connection to one manager of this cell.
Links = Mapping[str, Sequence[str]]
#: None when a manager of the neighbor has a message; else the reason why it is given up, as of
#: :data:`cells.drivers.base.OnDone`.
Outcome = exceptions.CellsError | None


@dataclass(frozen=True)
class Parcel:
    """A message that a sibling sends to a neighbor."""

    #: a number that the driver has given to the class of the message
    message_class: int
    payload: str
    #: the only manager of the neighbor that may receive it; empty: any
    server: str
    #: whether each manager of the neighbor receives a copy
    fanout: bool
    #: for how long it may wait until the neighbor takes it
    seconds: float


class Sibling(Protocol):
    """The driver of a manager, as the bus calls it for the other managers of the cell.  No method blocks or raises."""

    def hear(self, host: str, incarnation: str, links: Links | None) -> None:
        """Take the connections that a manager tells.

        :param incarnation: differs between two processes of one host
        :param links: all neighbors with such links, also those to which it has no connection; None: it stops
        """

    def forward(self, neighbor: str, parcels: Sequence[Parcel]) -> futures.Future[list[Outcome]]:
        """Send messages to a neighbor over a connection of this manager.

        :returns: a future of the outcomes, in the order of the parcels
        """

    def take(self, neighbor: str, payloads: Sequence[str], age_seconds: float) -> None:
        """Take messages of a neighbor that have arrived at another manager of this cell.

        :param age_seconds: how long they were on their way
        """


class SiblingBus(Protocol):
    """The bus of the own cell.  Thread-safe; each method may block for seconds."""

    def start(self, sibling: Sibling, secret: Callable[[], bytes]) -> None:
        """Receive the messages of the other managers.  May be called again after an error.

        :param secret: returns bytes that only the managers of the cell have; may raise OSError
        :raises Exception: of the library of the bus, if the broker is away
        """

    def tell(self, incarnation: str, links: Links | None, host: str = "") -> None:
        """Let the other managers, or one of them, :meth:`~Sibling.hear` the connections of this one.

        :raises cells.exceptions.DeliveryError: the broker did not take it
        """

    def forward(self, host: str, neighbor: str, parcels: Sequence[Parcel]) -> list[Outcome]:
        """Let another manager :meth:`~Sibling.forward` messages; return their outcomes.

        :raises cells.exceptions.DeliveryError: there is no answer; ``may_arrive`` tells whether that manager may have
            sent the messages
        """

    def hand_over(self, host: str, neighbor: str, payloads: Sequence[str], age_seconds: float) -> None:
        """Let another manager :meth:`~Sibling.take` messages.

        :raises cells.exceptions.DeliveryError: it did not take them, as far as is known
        """

    def stop_serving(self) -> None:
        """Receive nothing more.  May be called twice."""

    def close(self) -> None:
        """Close the connections to the bus.  May be called twice."""
