"""Link: the connection between two neighbors of a tree, with the faults that a test injects."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cells import exceptions
from cells.path import CellPath
from cells.testing.faults import FaultyWire


class Link:
    """Both directions between two cells, ``tree.link("api", "east")``, or one of them.

    Every method applies to messages from now on, and returns the link, so that a fault can end with a block::

        with tree.link("api", "east").cut():
            ...

    Faults of several kinds add up; :meth:`restore` ends all of them.  A link of both
    directions counts each direction for itself: to lose one answer and nothing else,
    say ``tree.link("api", "east").toward("api").drop(1)``.  Calls, casts and answers are
    one message each on every link that they cross.  (The heartbeats of a call with
    ``call_monitor_timeout`` are messages too.)
    """

    def __init__(self, wires: Mapping[CellPath, FaultyWire]) -> None:
        """:param wires: by the cell that each leads to"""
        self._wires = dict(wires)

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.restore()

    def toward(self, name: str) -> Link:
        """Return the direction in which messages reach that cell, as a link of its own.

        :raises cells.exceptions.CellNotFound: the link does not end at that cell
        """
        found = {path: wire for path, wire in self._wires.items() if name in (path.last, str(path))}
        if not found:
            ends = " and ".join(str(path) for path in self._wires)
            raise exceptions.CellNotFound(f"This link leads to {ends}, not to {name}.", cell=name)
        return Link(found)

    def drop(self, count: int | None = None) -> Link:
        """Lose messages without an error, as a broker does when it is killed.

        The caller gets a timeout, whether the request or the answer is lost: in the first case the method did not
        run, in the second it did.  The loss of a cast is not reported.

        :param count: the next ``count`` messages; None: all from now on
        """
        return self._set(lambda wire: wire.drop(count))

    def delay(self, seconds: float) -> Link:
        """Delay each message by so many seconds.

        Messages keep their order, even if the delay gets shorter.  The sender does not wait, and other links and the
        other direction are not affected.  If the answer to a call comes after its timeout, the caller gets a timeout
        although the method runs.
        """
        return self._set(lambda wire: wire.delay(seconds))

    def duplicate(self, count: int | None = None) -> Link:
        """Deliver messages twice, as happens if a broker dies before it records an acknowledgment.

        The caller sees no difference: the receiving manager drops the second request or cast, the calling manager the
        second answer.  In a cell of several managers each may receive one of the two, and then the method runs twice.

        :param count: the next ``count`` messages; None: all from now on
        """
        return self._set(lambda wire: wire.duplicate(count))

    def cut(self) -> Link:
        """Make sending fail, as if the broker at the other end were down.

        A call that crosses the link fails with NeighborUnreachable as soon as it gets to the link.
        A :class:`cells.rpc.RPCClient` tries again as often as its ``retry`` says, and raises
        MessageDeliveryFailure.  A cast fails in the same way if the link begins in its own cell; further
        away it is lost.  An answer that cannot be sent back is lost, so its caller gets a
        timeout.  Delayed messages are lost.
        """
        return self._set(lambda wire: wire.cut())

    def restore(self) -> Link:
        """End all faults of the link.  Delayed messages arrive at once; lost messages stay lost."""
        return self._set(lambda wire: wire.restore())

    def _set(self, change: Callable[[FaultyWire], None]) -> Link:
        for wire in self._wires.values():
            change(wire)
        return self
