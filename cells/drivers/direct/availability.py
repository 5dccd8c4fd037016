"""Availability: whether a neighbor is connected, may come back soon, or is down, and the errors that follow from it."""

from __future__ import annotations

import enum
import math
import time

from cells import exceptions
from cells.worker_threads import Runtime


class LinkState(enum.Enum):
    """Whether messages are sent, wait, or fail."""

    CONNECTED = "connected"
    RECONNECTING = "reconnecting"  #: no connection for a short time: messages wait
    DOWN = "down"  #: messages fail at once


class Availability:
    """State of one neighbor.  Not thread-safe: its link locks."""

    def __init__(self, cell: str, reconnect_seconds: float, runtime: Runtime) -> None:
        """:param reconnect_seconds: how long messages wait after the start, or after the last connection"""
        self._cell = cell
        self._reconnect_seconds = reconnect_seconds
        self._runtime = runtime
        #: until then, a manager of the neighbor that is not known yet may connect
        self.started_at = runtime.clock() + reconnect_seconds
        self._down_at = self.started_at
        self.state = LinkState.RECONNECTING
        #: when the connection was made or lost, in seconds since the epoch
        self.since = runtime.wall_clock()

    @property
    def down_at(self) -> float:
        """When :meth:`expire` has something to do."""
        return self._down_at if self.state is LinkState.RECONNECTING else math.inf

    def connect(self) -> None:
        """Take note that a manager is connected."""
        if self.state is not LinkState.CONNECTED:
            self.state = LinkState.CONNECTED
            self.since = self._runtime.wall_clock()

    def lose(self, now: float) -> None:
        """Take note that no manager is connected any more."""
        if self.state is LinkState.CONNECTED:
            self.state = LinkState.RECONNECTING
            self.since = self._runtime.wall_clock()
            self._down_at = now + self._reconnect_seconds

    def expire(self, now: float) -> bool:
        """Return whether the neighbor goes down now."""
        if now < self.down_at:
            return False
        self.state = LinkState.DOWN
        return True

    def down(self) -> exceptions.CellsError:
        """Return the error of a message while the neighbor is down."""
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.since))
        return exceptions.NeighborUnreachable(
            f"Cell {self._cell} is down since {since}: none of its managers has a connection to this manager.",
            cell=self._cell,
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
