"""The neighbors as operators see them: the state of each link, and the problem with its remedy."""

from __future__ import annotations

from typing import Any

from cells.manager.local_cell import LocalCell
from cells.neighbors import verdict
from cells.neighbors.neighbor import Neighbor
from cells.transport import url as transport_url

#: State of a cell that sends messages to this cell and is not registered here.
UNREGISTERED = "unregistered"


def report(cell: LocalCell) -> list[dict[str, Any]]:
    """Return an object for each neighbor, sorted by name, and then for each cell that is not registered.

    Its keys: ``cell`` and ``seen_by``, the name of this cell and the host of the manager that reports;
    ``name``, ``is_parent``, ``driver``, ``transport_url`` (passwords masked); ``state``, and for how long it lasts as
    ``since_seconds``; ``last_seen_seconds``, the time since the last answer to a probe, or since the last message of a
    neighbor that is not probed; ``unanswered``, the number of probes since the last answer; ``round_trip_seconds``;
    ``answered_by``, the host of the neighbor's manager that answered last; ``way``, the directions in which the link
    works; ``version``, the highest version that the neighbor reads, and ``spoken``, that of the link; ``problem``, with
    its remedy; and the keys of :meth:`cells.links.Losses.of`.  A value that is not known is None.
    """
    spoken = {link["neighbor"]: link["spoken"] for link in cell.links()["links"]}
    rows = sorted(cell.table.snapshot().all().items())
    strangers = sorted(cell.table.strangers().items())
    return [_neighbor(cell, name, row, spoken.get(name)) for name, row in rows] + [
        _stranger(cell, name, age) for name, age in strangers
    ]


def _neighbor(cell: LocalCell, name: str, row: Neighbor, spoken: str | None) -> dict[str, Any]:
    table, heard, now = cell.table, cell.table.heard(name), cell.table.now()
    known: dict[str, Any] = {}
    if heard is not None:
        state, probe = table.state(name), heard.probe
        seen_at = probe.answered_at if probe.is_active and not heard.has_no_ping else heard.last_seen_at
        known = {
            "state": state.value,
            "since_seconds": _rounded(probe.since_seconds(now)),
            "last_seen_seconds": None if seen_at is None else _rounded(now - seen_at),
            "unanswered": probe.overdue(now),
            "round_trip_seconds": _rounded(probe.round_trip_seconds),
            "answered_by": probe.answered_by or None,
            "way": verdict.way_of(heard, state, now),
            "version": str(heard.description["version"]) if "version" in heard.description else None,
            "problem": verdict.problem_of(
                cell.name, row, heard, state, now, own_urls=cell.own_urls, namesake=table.namesake_of(name)
            )
            or None,
        }
    return {
        **_entry(cell, name),
        "is_parent": row.is_parent,
        "driver": row.driver,
        "transport_url": transport_url.mask(row.transport_url),
        "spoken": spoken,
        **known,
        **cell.losses.of(name),
    }


def _stranger(cell: LocalCell, name: str, age_seconds: float) -> dict[str, Any]:
    return {
        **_entry(cell, name),
        "state": UNREGISTERED,
        "last_seen_seconds": _rounded(age_seconds),
        "way": "in",
        "problem": verdict.problem_of_stranger(name),
    }


_KEYS = (
    *("is_parent", "driver", "transport_url", "state", "since_seconds", "last_seen_seconds", "unanswered"),
    *("round_trip_seconds", "answered_by", "way", "version", "spoken", "problem"),
)


def _entry(cell: LocalCell, name: str) -> dict[str, Any]:
    return {"name": name, "cell": cell.name, "seen_by": cell.identity["host"], **dict.fromkeys(_KEYS)}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
