"""The contract of a driver: receive for this cell, send to a neighbor."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from oslo_config import cfg

from cells import exceptions

#: Takes what has come: the JSON text of a message that traveled alone, or the list of objects of a cast
#: of many.  Never raises; blocks for a fraction of a second at most, and never for an answer.
OnMessage = Callable[[object], None]


class Target(Protocol):
    """A neighbor as far as a driver needs to know it."""

    @property
    def name(self) -> str: ...

    @property
    def driver(self) -> str: ...

    @property
    def transport_url(self) -> str: ...


class Outgoing(Protocol):
    """A message as far as a driver needs to know it."""

    @property
    def message_type(self) -> str: ...

    @property
    def fanout(self) -> bool: ...

    @property
    def server(self) -> str:
        """The one manager of the neighbor that it is for; empty if there is none."""

    @property
    def version(self) -> str:
        """The version of the inter-cell API that it is written in."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def deadline(self) -> float | None:
        """Until when somebody waits for what it does, in seconds of the monotonic clock; None: nobody does."""

    @property
    def may_share_a_cast(self) -> bool:
        """Whether it may be sent together with others of the same type, fan-out, server and version."""

    def is_late(self, now: float) -> bool:
        """Whether nobody waits any more for what it would do, at ``now`` of the monotonic clock."""

    def to_json(self) -> str:
        """The text of a message that travels alone."""

    def to_item(self) -> dict[str, Any]:
        """The object of a message that may share a cast."""


@dataclass(frozen=True)
class DriverSettings:
    """What a driver is built from; the composition root reads it from the configuration."""

    conf: cfg.ConfigOpts  #: for libraries that want it whole
    host: str
    #: of this cell's own broker; None: the default of oslo.messaging
    transport_url: str | None = field(repr=False)
    message_types: tuple[str, ...]  #: consumers are started in this order
    queue_base: str = "cells.intercell"
    version_cap: str | None = None
    send_timeout_seconds: int = 10


class BaseCellsDriver(abc.ABC):
    """Base of all drivers; loaded by name from the entry points ``cells.drivers``.

    A constructor does no I/O.  A driver knows nothing about routing: it is
    handed texts and hands on texts.
    """

    @abc.abstractmethod
    def __init__(self, settings: DriverSettings) -> None: ...

    @abc.abstractmethod
    def start_servers(self, on_message: OnMessage) -> None:
        """Receive what neighbors send to this cell, from now until :meth:`stop_servers`.

        Called once, at start.  Returns when messages are consumed, and may block
        until the broker is there.  ``on_message`` is called on threads of the
        driver; requests and responses use different ones, so that a request never
        keeps a response from being read.
        """

    def stop_taking(self, message_types: frozenset[str]) -> None:  # noqa: B027  # a driver may have nothing to do
        """Take no new messages of these types: others, or the next manager, get them.

        Called before :meth:`stop_servers`, once.  May block until those being handled are done.
        """

    @abc.abstractmethod
    def stop_servers(self) -> None:
        """Take no new messages; return when those being handled are done.

        May be called twice, and without a start.
        """

    def reaches_clients(self, cell: Target) -> bool:  # noqa: ARG002  # what it may depend on
        """Return whether :meth:`reply_to_client` may reach the clients of ``cell``; else its manager answers them.

        Never raises, and does no I/O.
        """
        return False

    def reply_to_client(self, cell: Target, reply_to: str, value: str) -> None:  # noqa: ARG002  # of the contract
        """Send the value of a call directly to the client of ``cell`` that waits for the value.

        Called on the thread that sends to ``cell``, only if :meth:`reaches_clients` is true.  Blocks at most for about
        twice the send timeout.  When it returns the broker of the client has the value.

        :param reply_to: where the client waits, as the driver of the client's manager has named it; it comes from
            other cells, unchecked
        :param value: JSON text of the value that the call returns
        :raises cells.exceptions.ClientGone: the client is not there, or may not be reached from here
        :raises cells.exceptions.DeliveryError: the broker did not take the value
        """
        raise exceptions.ClientGone(f"The driver of cell {cell.name} sends nothing to its clients.", cell=cell.name)

    @abc.abstractmethod
    def send_message_to_cell(self, cell: Target, message: Outgoing) -> None:
        """Hand a message to the neighbor's broker.

        Called on one thread per neighbor.  Blocks at most for about twice the send
        timeout.  When it returns the broker has the message; when it raises the
        broker most likely has not.

        A message with a ``server`` is for that manager alone: another one can do nothing with it.

        :raises cells.exceptions.ManagerGone: the one manager that it is for is not there
        :raises cells.exceptions.DeliveryError: the broker did not take it
        """

    def send_messages_to_cell(self, cell: Target, messages: Sequence[Outgoing]) -> None:
        """Hand several messages of one type, fan-out, server and version to the neighbor's broker.

        As :meth:`send_message_to_cell`, for messages that may share a cast, one or more of
        them.  A driver that does not say otherwise sends them one by one; if it raises, the broker may have some.

        :raises cells.exceptions.DeliveryError: the broker did not take them
        """
        for message in messages:
            self.send_message_to_cell(cell, message)

    @abc.abstractmethod
    def close_link(self, cell: Target) -> None:
        """Close what is open toward a neighbor; the next send opens it again.

        May block.  Never raises.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close everything that is still open.  May be called twice."""
