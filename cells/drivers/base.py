"""The contract of a driver: receive for this cell, send to a neighbor."""

from __future__ import annotations

import abc
import enum
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from oslo_config import cfg

from cells import exceptions
from cells.counters import Counters
from cells.drivers.siblings import SiblingBus
from cells.transport.custody import Ledger
from cells.worker_threads import Runtime

#: More messages than any release sends in one cast: a bound for the work that a neighbor can cause at a time.
MAX_MESSAGES_OF_CAST = 1024


class OnMessage(Protocol):
    """Takes what a neighbor has sent.  Never raises; blocks for at most a fraction of a second, never for an answer."""

    def __call__(self, came: object, neighbor: str = "", age_seconds: float = 0.0) -> None:
        """Take one message, or several.

        :param came: the JSON text of a message that traveled alone, or the list of objects of a cast of many; a
            MessageError if the driver has not read what came, and refuses it
        :param neighbor: the name of the neighbor that has sent it; empty: the driver does not know who uses its link
        :param age_seconds: how long it was on its way; it counts against the time that callers still wait
        """


#: Takes None when a manager of the neighbor has a message, or the reason why it is given up; ``may_arrive`` of the
#: reason tells whether the neighbor may have it nevertheless.  Called once, on any thread.  Must not block.
OnDone = Callable[["exceptions.CellsError | None"], object]


class Target(Protocol):
    """The part of a neighbor that a driver reads."""

    @property
    def name(self) -> str: ...

    @property
    def driver(self) -> str: ...

    @property
    def transport_url(self) -> str: ...


class Outgoing(Protocol):
    """The part of a message that a driver reads."""

    @property
    def message_type(self) -> str: ...

    @property
    def fanout(self) -> bool: ...

    @property
    def server(self) -> str:
        """The only manager of the neighbor that may receive it; empty: any manager."""

    @property
    def version(self) -> str:
        """The version of the inter-cell API in which it is written."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def kind(self) -> str:
        """The word under which the ledger of losses counts it; empty: managers send it about each other."""

    @property
    def deadline(self) -> float | None:
        """When its caller stops waiting, in seconds of the monotonic clock; None: no caller waits."""

    @property
    def may_share_a_cast(self) -> bool:
        """Whether it may be sent together with others of its type, fan-out, server and version."""

    def is_late(self, now: float) -> bool:
        """Return whether its deadline has passed at ``now``, in seconds of the monotonic clock."""

    def to_json(self) -> str:
        """Return the text of a message that travels alone."""

    def to_item(self) -> dict[str, Any]:
        """Return the object of a message that may share a cast."""

    def to_item_json(self) -> str:
        """Return the text of that object."""


class LinkState(enum.Enum):
    """Whether messages to a neighbor are sent, wait, or fail, as far as a driver knows it without sending one."""

    CONNECTED = "connected"
    RECONNECTING = "reconnecting"  #: no connection for a short time: messages wait
    DOWN = "down"  #: messages fail at once


#: Takes the name of a neighbor and the new state of its link, on any thread.  Must not block.
OnLinkState = Callable[[str, LinkState], object]


def ignore_link_state(name: str, state: LinkState) -> None:
    """Do nothing: an :data:`OnLinkState`."""


@dataclass(frozen=True)
class DriverSettings:
    """Settings of a driver; the composition root reads them from the configuration."""

    conf: cfg.ConfigOpts  #: for libraries that need the whole configuration
    host: str
    #: URL at which the driver receives: that of the mailbox, or of this cell's own broker; None: the default of
    #: oslo.messaging
    transport_url: str | None = field(repr=False)
    message_types: tuple[str, ...]  #: in the order in which consumers are started
    queue_base: str = "cells.intercell"
    version_cap: str | None = None
    send_timeout_seconds: int = 10
    #: counts the casts that the driver has taken from its broker, until ``on_message`` returns; None: no counts
    ledger: Ledger | None = None
    on_link_state: OnLinkState = ignore_link_state
    #: to the other managers of this cell; None: it has no bus that this manager serves
    siblings: SiblingBus | None = None
    counters: Counters = field(default_factory=Counters)
    runtime: Runtime = field(default_factory=Runtime)


class BaseCellsDriver(abc.ABC):
    """Base of all drivers; loaded by name from the entry points ``cells.drivers``.

    A constructor does no I/O.  A driver does not route: it sends and receives
    texts.
    """

    @abc.abstractmethod
    def __init__(self, settings: DriverSettings) -> None: ...

    @abc.abstractmethod
    def start_servers(self, on_message: OnMessage) -> None:
        """Receive messages of neighbors, until :meth:`stop_servers`.

        Called once, at start.  Returns when messages are consumed, and may block
        until the broker is reachable.  The driver calls ``on_message`` on its own
        threads; requests and responses have different threads, so that a request never
        delays a response.
        """

    def stop_taking(self, message_types: frozenset[str]) -> None:  # noqa: B027  # a driver may have nothing to do
        """Receive no new messages of these types: they go to other managers, or to the next one.

        Called once, before :meth:`stop_servers`.  May block until running ``on_message`` calls have returned.
        """

    @abc.abstractmethod
    def stop_servers(self) -> None:
        """Receive no new messages; return when all ``on_message`` calls have returned.

        May be called twice, and without a start.
        """

    def set_neighbors(self, cells: Sequence[Target]) -> None:  # noqa: B027  # a driver may have nothing to do
        """Take note of the neighbors: those with this driver, and those that may still send over it.

        Called after each reading of the rows, before the servers start, too; the rows may be the same as before.
        Never raises.
        """

    def reaches_clients(self, cell: Target) -> bool:  # noqa: ARG002  # for drivers that override it
        """Return whether :meth:`reply_to_client` may reach the clients of ``cell``; else its manager answers them.

        Never raises, and does no I/O.
        """
        return False

    def reply_to_client(self, cell: Target, reply_to: str, value: str) -> None:  # noqa: ARG002  # for drivers that override it
        """Send the return value of a call directly to the client of ``cell`` that waits for it.

        Called on the sending thread of ``cell``, only if :meth:`reaches_clients` is true.  Blocks for at most about
        twice the send timeout.  When it returns, the broker of the client has the value.

        :param reply_to: the address of the client, in the notation of the driver of its manager; it comes from
            another cell and is not validated
        :param value: JSON text of the return value
        :raises cells.exceptions.ClientGone: the client has stopped, or this cell may not write to its queue
        :raises cells.exceptions.DeliveryError: the broker did not take the value
        """
        raise exceptions.ClientGone(f"The driver of cell {cell.name} cannot send to its clients.", cell=cell.name)

    @abc.abstractmethod
    def send_message_to_cell(self, cell: Target, message: Outgoing) -> None:
        """Send a message to the neighbor's broker.

        Called on one thread per neighbor.  Blocks for at most about twice the send
        timeout.  When it returns, the broker has the message; when it raises, the
        broker most likely does not have it.

        Only the manager ``message.server`` can process a message with a ``server``.

        :raises cells.exceptions.ManagerGone: the manager ``message.server`` has stopped
        :raises cells.exceptions.DeliveryError: the broker did not take the message
        """

    def send_messages_to_cell(self, cell: Target, messages: Sequence[Outgoing]) -> None:
        """Send several messages of one type, fan-out, server and version to the neighbor's broker.

        As :meth:`send_message_to_cell`, for one or more messages that may share a cast.
        The default sends them one by one; if it raises, the broker may have some of them.

        :raises cells.exceptions.DeliveryError: the broker did not take the messages
        """
        for message in messages:
            self.send_message_to_cell(cell, message)

    def receivers(self, cell: Target) -> int | None:  # noqa: ARG002  # for drivers that override it
        """Return how many managers consume at the neighbor's broker; None: the driver cannot know.

        Called, on a thread of its own, for a neighbor that does not answer.  May block as long as a send.

        :raises cells.exceptions.DeliveryError: the broker cannot be asked
        """
        return None

    def check_consumers(self, timeout_seconds: float) -> None:  # noqa: B027  # a driver may have no broker
        """Check that a message to each consumer of this manager arrives, for at most about so long.

        Called every few seconds, on a thread of its own, while the servers run.

        :raises cells.exceptions.CellsError: the broker took no message, or a consumer got none
        """

    def link_status(self, cell: Target) -> Mapping[str, Any] | None:  # noqa: ARG002  # for drivers that override it
        """Return the state of the link in plain values, for operators; None: the driver knows none.  Does no I/O."""
        return None

    def looked_at(self) -> Mapping[str, float]:
        """Return when each thread of the driver that never waits last went round, for a watchdog; does no I/O.

        :returns: name of the thread -> seconds of the monotonic clock.  The thread goes round at least each second.
        """
        return {}

    def wait_until_idle(self, timeout_seconds: float) -> None:  # noqa: B027  # a driver may send at once
        """Wait until the outcome of all messages is known that a driver has accepted, for at most so long."""

    @abc.abstractmethod
    def close_link(self, cell: Target) -> None:
        """Close the connection to a neighbor; the next send opens it again.

        May block.  Never raises.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close all connections that are still open.  May be called twice."""


class PostingDriver(BaseCellsDriver):
    """Base of the drivers that accept a message at once, and report later whether the neighbor has it.

    It has bounded queues of its own: such a link needs no thread and no send queue.
    """

    @abc.abstractmethod
    def post(self, cell: Target, messages: Sequence[tuple[Outgoing, OnDone]]) -> None:
        """Send messages, in their order.  Never blocks and never raises.

        If a queue has no room, or the neighbor is down, the function of the message gets the error.
        """

    def wait_for_room(self, cell: Target, until: float) -> bool:  # noqa: ARG002  # for drivers that override it
        """Wait until the queue of requests for ``cell`` has room, at most until a time of the monotonic clock.

        :returns: whether it has room; a neighbor without a connection has none to wait for
        """
        return True

    def send_message_to_cell(self, cell: Target, message: Outgoing) -> None:
        """Send a message, and wait until the neighbor has it."""
        outcomes: list[exceptions.CellsError | None] = []
        is_done = threading.Event()

        def done(error: exceptions.CellsError | None) -> None:
            outcomes.append(error)
            is_done.set()

        self.post(cell, [(message, done)])
        is_done.wait()
        if outcomes[0] is not None:
            raise outcomes[0]
