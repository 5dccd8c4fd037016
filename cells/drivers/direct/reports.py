"""Reports: the acknowledgements and the returned credit that this side owes its peer, and when it sends them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from cells.drivers.direct.frames import Ack, Marks
from cells.drivers.direct.incoming import Incoming

#: So many times longer, a report for which no sender waits may stay here.  In the second half of that time, it
#: accompanies a frame; earlier, later messages may share it.
_LAZINESS = 10


class Reports:
    """Of one session."""

    def __init__(self, clock: Callable[[], float], ack_seconds: float) -> None:
        """:param ack_seconds: how long a report that a sender waits for may wait for a frame that it can accompany"""
        self._clock = clock
        self._ack_seconds = ack_seconds
        #: when the reports are sent, even alone
        self.due_at = math.inf

    def want(self, incoming: Incoming) -> None:
        """Report about the messages of a class: at once if the peer needs credit."""
        self._want_within(0.0 if incoming.is_urgent else self._ack_seconds * _LAZINESS)

    def want_soon(self) -> None:
        """Report soon: a sender waits until its message is taken."""
        self._want_within(self._ack_seconds)

    def _want_within(self, seconds: float) -> None:
        self.due_at = min(self.due_at, self._clock() + seconds)

    def are_due(self, now: float, *, alone: bool) -> bool:
        """Return whether reports are sent now.

        :param alone: whether there is no frame that they can accompany
        """
        return self.due_at <= (now if alone else now + self._ack_seconds * _LAZINESS / 2)

    def frames(self, marks: Marks, classes: Sequence[Incoming]) -> list[bytes]:
        """Return the frames of all reports."""
        self.due_at = math.inf
        returned = [incoming.credit() for incoming in classes]
        return [Ack(marks).encode(), *(credit.encode() for credit in returned if credit is not None)]
