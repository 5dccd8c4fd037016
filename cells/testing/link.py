"""Link: the connection between two neighbors of a tree, on which a test lets something go wrong."""

from __future__ import annotations

from collections.abc import Mapping

from cells import exceptions
from cells.path import CellPath
from cells.testing.way import Way


class Link:
    """What ``tree.link("api", "east")`` gives: both directions between two cells, or one of them.

    Every method changes what happens to messages from now on, and returns the link,
    so that a fault can end with a block::

        with tree.link("api", "east").cut():
            ...

    Faults of several kinds add up; :meth:`restore` ends all of them.  A link of both
    directions counts each direction for itself: to lose one answer and nothing else,
    say ``tree.link("api", "east").toward("api").drop(1)``.  Calls, casts and answers are
    one message each on every link that they cross.  (The beats of a call with
    ``call_monitor_timeout`` are messages too.)
    """

    def __init__(self, ways: Mapping[CellPath, Way]) -> None:
        """:param ways: by the cell that each leads to"""
        self._ways = dict(ways)

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.restore()

    def toward(self, name: str) -> Link:
        """The direction in which messages reach that cell, for itself.

        :raises cells.exceptions.CellNotFound: the link does not end there
        """
        found = {path: way for path, way in self._ways.items() if name in (path.last, str(path))}
        if not found:
            ends = " and ".join(str(path) for path in self._ways)
            raise exceptions.CellNotFound(f"This link leads to {ends}, not to {name}.", cell=name)
        return Link(found)

    def drop(self, count: int | None = None) -> Link:
        """Lose messages without anybody noticing, as a broker does that is killed.

        Whoever waits for an answer gets a timeout, be it the request that is lost or
        the answer: in the first case the method did not run, in the second it did.
        A cast is lost in silence.

        :param count: the next ``count`` messages; None: all from now on
        """
        for way in self._ways.values():
            way.drop(count)
        return self

    def delay(self, seconds: float) -> Link:
        """Have each message arrive so many seconds later.

        The order stays: nothing overtakes what is held, even if the delay gets shorter.
        The sender waits for nothing, and other links, and the other direction, go on as they are.  A call whose
        answer comes after its timeout is a timeout for its caller, although the method runs.
        """
        for way in self._ways.values():
            way.delay(seconds)
        return self

    def duplicate(self, count: int | None = None) -> Link:
        """Have messages arrive twice, as they do if a broker dies before it has noted that one was taken.

        The caller sees no difference: what comes a second time is dropped, a request or cast by the
        manager for which it is, an answer by the manager that waited for it.  In a cell of several
        managers each may get one, and then the method runs twice.

        :param count: the next ``count`` messages; None: all from now on
        """
        for way in self._ways.values():
            way.duplicate(count)
        return self

    def cut(self) -> Link:
        """Have sending fail, as if the broker at the other end were away.

        A call that has to cross the link fails as soon as it gets there, with NeighborUnreachable.
        A :class:`cells.rpc.RPCClient` tries again as often as its ``retry`` says, and raises
        MessageDeliveryFailure.  So does a cast, if the link begins in its own cell; further
        away it is lost.  An answer that cannot be sent back is lost, so its caller gets a
        timeout.  What a delay still holds is lost.
        """
        for way in self._ways.values():
            way.cut()
        return self

    def restore(self) -> Link:
        """End all faults of the link.  What a delay still holds arrives at once; what was lost stays lost."""
        for way in self._ways.values():
            way.restore()
        return self
