"""Availability: whether a neighbor is connected, may come back soon, or is down, and the errors that follow from it.

A neighbor is connected while this manager or a sibling, another manager of the same cell, has a connection to it.
"""

from __future__ import annotations

import logging
import math
import time

from cells import exceptions
from cells.drivers.base import LinkState, OnLinkState
from cells.drivers.direct.message import Message
from cells.worker_threads import Runtime

LOG = logging.getLogger(__name__)

#: While a connection is being made, messages wait for so much longer: else those of a link that comes back in time
#: could be given up before the hello is answered.  Enough for an attempt to connect, from its start.
GRACE_SECONDS = 3.0


class Availability:
    """State of one neighbor.  Not thread-safe: its link locks."""

    def __init__(self, cell: str, reconnect_seconds: float, runtime: Runtime, on_state: OnLinkState) -> None:
        """:param reconnect_seconds: how long messages wait after the start, or after the last connection
        :param on_state: called with each new state
        """
        self._cell = cell
        self._reconnect_seconds = reconnect_seconds
        self._runtime = runtime
        self._on_state = on_state
        #: until then, a manager of the neighbor that is not known yet may connect
        self.started_at = runtime.clock() + reconnect_seconds
        self._down_at = self.started_at
        self.state = LinkState.RECONNECTING
        #: when the connection was made or lost, in seconds since the epoch
        self.since = runtime.wall_clock()
        self._is_connected = False
        #: the siblings that have a connection
        self.through: tuple[str, ...] = ()

    @property
    def down_at(self) -> float:
        """When :meth:`expire` has something to do."""
        return self._down_at if self.state is LinkState.RECONNECTING else math.inf

    def connect(self, *, is_connected: bool) -> None:
        """Take note whether this manager has a connection."""
        self._is_connected = is_connected
        self._look()

    def reach_through(self, siblings: tuple[str, ...]) -> None:
        """Take note of the siblings that have a connection."""
        self.through = siblings
        self._look()

    def _look(self) -> None:
        is_reached = self._is_connected or bool(self.through)
        if is_reached == (self.state is LinkState.CONNECTED):
            return
        self.since = self._runtime.wall_clock()
        if is_reached:
            self.state = LinkState.CONNECTED
        else:
            self.state = LinkState.RECONNECTING
            self._down_at = self._runtime.clock() + self._reconnect_seconds
        self._on_state(self._cell, self.state)

    def grace_seconds(self, *, is_connecting: bool) -> float:
        """Return how much longer than the time to reconnect messages wait.

        :param is_connecting: whether a connection is being made
        """
        return min(GRACE_SECONDS, self._reconnect_seconds) if is_connecting else 0.0

    def expire(self, before: float) -> bool:
        """Return whether the neighbor goes down now.

        :param before: the time, less the grace
        """
        if before < self.down_at:
            return False
        self.state = LinkState.DOWN
        LOG.warning("%s", self.down().message)
        self._on_state(self._cell, self.state)
        return True

    def refusal(self, message: Message) -> exceptions.CellsError | None:
        """Return why a message is not accepted now; None if it is."""
        if self.state is LinkState.DOWN:
            return self.down()
        if message.deadline is not None and message.deadline <= self._runtime.clock():
            return exceptions.CellTimeout(f"A message for cell {self._cell} was too late to be sent.", cell=self._cell)
        return None

    def down(self) -> exceptions.CellsError:
        """Return the error of a message while the neighbor is down."""
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.since))
        return exceptions.NeighborUnreachable(
            f"Cell {self._cell} is down since {since}: none of its managers has a connection to this manager.",
            cell=self._cell,
        )

    def unconnected(self) -> exceptions.CellsError:
        """Return the error of a message that a sibling has passed to this manager in vain."""
        return exceptions.NeighborUnreachable(
            f"This manager has no connection to cell {self._cell} any more.", cell=self._cell
        )

    def unknown_fate(self) -> exceptions.CellsError:
        """Return the error of a message that was sent over a connection that broke."""
        return exceptions.NeighborUnreachable(
            f"The connection to cell {self._cell} broke before it acknowledged a message. "
            f"{exceptions.MAY_HAVE_ARRIVED}",
            cell=self._cell,
            may_arrive=True,
        )


def fresh(error: exceptions.CellsError) -> exceptions.CellsError:
    """Return an error like ``error``: an error that is raised twice keeps all that it has passed alive."""
    return type(error)(error.message, **error.kwargs)


def is_unsent(error: exceptions.CellsError | None) -> bool:
    """Return whether a message had no connection, and may be sent another way."""
    return isinstance(error, exceptions.NeighborUnreachable) and not error.may_arrive
