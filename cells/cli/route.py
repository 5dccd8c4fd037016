"""The route to a cell, as the manager of this cell knows it without asking another cell.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cells import exceptions, versions
from cells.path import CellPath

COLUMNS = (
    *("hop", "from", "to", "direction", "driver", "state", "since_seconds"),
    *("spoken", "global_cap", "neighbor_cap", "note"),
)


class Here(NamedTuple):
    """Answers of the manager of this cell about itself."""

    #: as of an endpoint ``ping``: path and subtree
    description: Mapping[str, Any]
    #: as of an endpoint ``links``
    links: Sequence[Mapping[str, Any]]
    #: as of :meth:`cells.rpcapi.CellsAPI.neighbors`
    neighbors: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Hop:
    """One hop of the route."""

    row: tuple[Any, ...]  #: the values of COLUMNS
    is_problem: bool

    @property
    def note(self) -> str:
        return str(self.row[-1])


def explain(walk: CellPath, here: Here) -> list[Hop]:
    """Return the hops of ``walk``, which begins in this cell; none if it ends there."""
    own_path = CellPath.parse(here.description["path"])
    return [_hop(walk[: number + 1], own_path, here) for number in range(1, len(walk))]


def _hop(walk: CellPath, own_path: CellPath, here: Here) -> Hop:
    """Return the last hop of ``walk``."""
    start, end = list(walk)[-2:]
    link: Mapping[str, Any] = next((one for one in here.links if one["neighbor"] == walk[1]), {})
    is_up = bool(link.get("is_parent")) if len(walk) == 2 else walk.is_prefix_of(own_path.reversed())
    values: dict[str, Any] = {}
    is_problem = False
    if len(walk) == 2:  # this cell and its neighbor
        values, note, is_problem = _link(link, here)
    elif is_up or _is_known(walk, here):
        note = f"the state of this link is known in {start}: run this command there"
    elif link.get("is_parent"):
        note = f"not known here, because {start} is not below this cell: run this command there"
    else:
        is_problem = True
        note = (
            f"{walk[1]} has announced no cell {end} below {start}: a call ends there with "
            f"{exceptions.CellNotFound.__name__}, unless the cell is new"
        )
    direction = "up" if is_up else "down"
    known = {"hop": len(walk) - 1, "from": start, "to": end, "direction": direction, "note": note, **values}
    return Hop(tuple(known.get(column) for column in COLUMNS), is_problem)


def _link(link: Mapping[str, Any], here: Here) -> tuple[dict[str, Any], str, bool]:
    """Return the columns of the link to a neighbor, the note, and whether it is broken."""
    name = link.get("neighbor")
    found: Mapping[str, Any] = next((one for one in here.neighbors if one["name"] == name), {})
    values = {
        **{column: found.get(column) for column in ("driver", "state", "since_seconds")},
        **{column: link.get(column) for column in ("spoken", "global_cap", "neighbor_cap")},
    }
    notes = []
    state, since, spoken = found.get("state"), found.get("since_seconds"), link.get("spoken")
    if state != "up":
        notes.append(f"{name} is {state}" + ("" if since is None else f" for {since:.0f} s"))
    notes += filter(None, [found.get("problem")])
    if link.get("reason"):
        notes.append(f"the link speaks {spoken}: {link['reason']}")
    if spoken in versions.HISTORY and not versions.speaks(str(spoken), versions.TRACE):
        notes.append(f"it carries no trace, which needs version {versions.TRACE}")
    return values, "; ".join(str(note).rstrip(".") for note in notes), state != "up"


def _is_known(walk: CellPath, here: Here) -> bool:
    """Return whether a child has announced the cell at the end of ``walk``."""
    subtree = here.description.get("subtree")
    for name in walk[1:]:
        subtree = subtree.get(name) if isinstance(subtree, dict) else None
    return subtree is not None
