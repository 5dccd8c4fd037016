"""The version of the inter-cell API on each link, and the reason for it.

The version of a link is the lowest of three: the cap for all neighbors, the cap of this neighbor, and the version
that the neighbor has announced.  Until a neighbor announces its version, a cap of ``auto``, the default of the cap for
all neighbors, stands for the oldest version; a cap that names a version stands for that version.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from cells import exceptions, versions
from cells.neighbors import NeighborTable
from cells.neighbors.neighbor import Neighbor


@dataclass(frozen=True)
class LinkVersion:
    """Version of one link, and its origin."""

    spoken: str
    announced: str | None  #: by the neighbor; None: not yet
    global_cap: str  #: a version or ``auto``
    neighbor_cap: str | None  #: as the operator registered it
    #: whether only a cap keeps the link below the version that both cells read
    can_be_raised: bool
    #: the reason why the link is below the newest version; empty if it is not
    reason: str


class LinkVersions:
    """Versions of all links of this cell.  Thread-safe; no I/O."""

    def __init__(self, table: NeighborTable, global_cap: str | None) -> None:
        """:param global_cap: a version; None: the version that each neighbor has announced"""
        self._table = table
        self._global_cap = global_cap

    def toward(self, neighbor: Neighbor) -> str:
        """Return the version of the link to ``neighbor`` now."""
        announced, before = self._announced(neighbor.name)
        spoken = _spoken(self._global_cap, neighbor.version_cap, announced)
        return spoken if before is None else versions.lowest(spoken, before)

    def explain(self, neighbor: Neighbor) -> LinkVersion:
        """Return the version of the link to ``neighbor`` now, and the reason why it is not higher."""
        announced, _ = self._announced(neighbor.name)
        spoken = self.toward(neighbor)
        is_capped = announced is not None and announced != spoken
        return LinkVersion(
            spoken=spoken,
            announced=announced,
            global_cap=self._global_cap or versions.AUTO,
            neighbor_cap=neighbor.version_cap,
            can_be_raised=is_capped,
            reason=self._reason(neighbor, spoken, announced, is_capped=is_capped),
        )

    def _reason(self, neighbor: Neighbor, spoken: str, announced: str | None, *, is_capped: bool) -> str:
        if spoken == versions.CURRENT:
            return ""
        cap = neighbor.version_cap
        if not problem_of(cap):
            return self._held_by(neighbor, spoken, announced, is_capped=is_capped)
        problem = f"the cap of neighbor {neighbor.name}, {cap}, cannot be read and counts as {versions.OLDEST}"
        return f"{problem}; {self._held_by(neighbor, spoken, announced, is_capped=is_capped)}"

    def _held_by(self, neighbor: Neighbor, spoken: str, announced: str | None, *, is_capped: bool) -> str:
        if is_capped:
            caps = []
            if self._global_cap == spoken:
                caps.append(f"[upgrade_levels] intercell = {spoken}")
            if _read(neighbor.version_cap) == spoken and not problem_of(neighbor.version_cap):
                caps.append(f"the cap of neighbor {neighbor.name}, {neighbor.version_cap}")
            return "; ".join([*filter(None, [" and ".join(caps)]), f"{neighbor.name} reads {announced}"])
        if announced is None:
            is_silent = self._table.is_silent(neighbor.name)
            return f"{neighbor.name} has not announced its version {'for too long' if is_silent else 'yet'}"
        return f"{neighbor.name} reads no more than {announced}: upgrade it first"

    def _announced(self, name: str) -> tuple[str | None, str | None]:
        """Return (announced version, None), or for a silent neighbor (None, the version that it had announced)."""
        heard = self._table.heard(name)
        if heard is None or heard.version is None:
            return None, None
        # A silent neighbor may come back as an older release, and then reads the messages that wait for it.
        return (None, heard.version) if self._table.is_silent(name) else (heard.version, None)


@functools.lru_cache(maxsize=1024)
def _spoken(global_cap: str | None, neighbor_cap: str | None, announced: str | None) -> str:
    own_cap = _read(neighbor_cap)
    if announced is None and (global_cap is None or own_cap == versions.AUTO):
        return versions.OLDEST
    caps = (global_cap, own_cap, announced)
    return versions.lowest(*(cap for cap in caps if cap is not None and cap != versions.AUTO))


def problem_of(cap: str | None) -> str:
    """Return the error in the version cap of a neighbor; empty if this release can read the cap."""
    try:
        versions.read_cap(versions.AUTO if cap is None else cap)
    except exceptions.ConfigurationError as error:
        return error.message
    return ""


def _read(cap: str | None) -> str | None:
    if cap is None:
        return None
    # An unreadable cap is a version of a newer release, or a mistake in the database: every cell reads the oldest
    # version.
    return versions.OLDEST if problem_of(cap) else versions.read_cap(cap)
