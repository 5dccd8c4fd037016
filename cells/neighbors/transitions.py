"""Transitions of links: the state of a neighbor from one moment on, as one manager of this cell sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

#: State of a neighbor that is not registered any more.
REMOVED = "removed"
#: Bound for the stored transitions of one neighbor; the oldest are removed.
MAX_PER_NEIGHBOR = 1000
#: The transitions of a neighbor that was removed so long ago are removed.
REMOVED_SECONDS = 90 * 86400.0
MAX_WHY_LENGTH = 2000


@dataclass(frozen=True)
class Transition:
    """The state of a link from one moment on."""

    neighbor: str
    manager: str  #: host of the manager that saw it
    state: str  #: a value of :class:`cells.neighbors.State`, or REMOVED
    since: float  #: seconds since 1970, by the clock of that host
    why: str = ""


class TransitionStore(Protocol):
    """Persistent store of the transitions of all managers of a cell."""

    def record_transitions(self, transitions: Sequence[Transition]) -> None:
        """Store transitions, oldest first.  May block for a few seconds.

        A transition to the state that the same manager stored last for that neighbor is left out.

        :raises cells.exceptions.CellsError: the store cannot be written now; nothing is stored
        """
