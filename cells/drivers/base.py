"""The contract of a driver: receive for this cell, send to a neighbour."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from oslo_config import cfg

#: Takes the JSON text of a message that has come.  Never raises, and never blocks.
OnMessage = Callable[[str], None]


class Target(Protocol):
    """A neighbour as far as a driver needs to know it."""

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

    def to_json(self) -> str: ...


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
        """Receive what neighbours send to this cell, from now until :meth:`stop_servers`.

        Called once, at start.  Returns when messages are consumed, and may block
        until the broker is there.  ``on_message`` is called on threads of the
        driver; requests and responses use different ones, so that a request never
        keeps a response from being read.
        """

    @abc.abstractmethod
    def stop_servers(self) -> None:
        """Take no new messages; return when those being handled are done.

        May be called twice, and without a start.
        """

    @abc.abstractmethod
    def send_message_to_cell(self, cell: Target, message: Outgoing) -> None:
        """Hand a message to the neighbour's broker.

        Called on one thread per neighbour.  Blocks at most for about twice the send
        timeout.  When it returns the broker has the message; when it raises the
        broker most likely has not.

        :raises cells.exceptions.DeliveryError: the broker did not take it
        """

    @abc.abstractmethod
    def close_link(self, cell: Target) -> None:
        """Close what is open toward a neighbour; the next send opens it again.

        May block.  Never raises.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close everything that is still open.  May be called twice."""
