"""The neighbors as operators see them: the state of each link, and the problem with its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from cells.certificates.expiry import expiring
from cells.manager.local_cell import LocalCell
from cells.neighbors import State, direct_verdict, verdict
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.problem import Problem
from cells.transport import url as transport_url

#: State of a cell that sends messages to this cell and is not registered here.
UNREGISTERED = "unregistered"


def report(cell: LocalCell) -> list[dict[str, Any]]:
    """Return an object for each neighbor, sorted by name, and then for each cell that is not registered.

    Its keys: ``cell`` and ``seen_by``, the name of this cell and the host of the manager that reports; ``name``,
    ``is_parent``, ``driver``, ``also_accept``, ``transport_url`` (passwords masked); ``state``, and for how long it
    lasts as ``since_seconds``; ``last_seen_seconds``, the time since the last answer to a probe, or since the last
    message of a neighbor that is not probed; ``unanswered``, the number of probes since the last answer;
    ``round_trip_seconds``; ``answered_by``, the host of the neighbor's manager that answered last; ``way``, the
    directions in which the link works; ``version``, the highest version that the neighbor reads, and ``spoken``, that
    of the link; ``can_be_raised``, whether a cap alone holds it lower, and ``held_by``, the reason; ``link``, the state
    of a direct link, as :meth:`cells.drivers.direct.node.Node.status` describes, also while the row accepts it beside
    another driver; ``problem``, with its remedy, and ``problem_name``, as in
    :mod:`cells.neighbors.problem`; and the keys of :meth:`cells.links.Losses.of`.  A value that is not known is None.
    """
    versions = {link["neighbor"]: link for link in cell.links()["links"]}
    rows = sorted(cell.table.snapshot().all().items())
    strangers = sorted(cell.table.strangers().items())
    return [_neighbor(cell, name, row, versions.get(name) or {}) for name, row in rows] + [
        _stranger(cell, name, age) for name, age in strangers
    ]


def problem_of(cell: LocalCell, name: str) -> str:
    """Return the problem of a neighbor, and its remedy; empty if there is none."""
    row = cell.table.snapshot().get(name)
    found = None if row is None else _problem_of(cell, row, cell.link_status(row), cell.table.state(name))
    return "" if found is None else found.text


def sign_of_life(cell: LocalCell, name: str) -> str:
    """Return how a neighbor shows that it is up; empty if that is not known."""
    heard = cell.table.heard(name)
    answered_by = "" if heard is None else heard.probe.answered_by
    return f"Its manager {answered_by} answers." if answered_by else ""


def _neighbor(cell: LocalCell, name: str, row: Neighbor, version: Mapping[str, Any]) -> dict[str, Any]:
    table, heard, now = cell.table, cell.table.heard(name), cell.table.now()
    known: dict[str, Any] = {}
    link = cell.link_status(row)
    # While a link moves, its messages may take the other driver.
    used = link if row.is_direct else None
    if heard is not None:
        state, probe = table.state(name), heard.probe
        seen_at = probe.answered_at if probe.is_active and not heard.has_no_ping else heard.last_seen_at
        known = {
            "state": state.value,
            "since_seconds": _rounded(probe.since_seconds(now)),
            "last_seen_seconds": None if seen_at is None else _rounded(now - seen_at),
            "unanswered": probe.overdue(now),
            "round_trip_seconds": _round_trip_of(used) or _rounded(probe.round_trip_seconds),
            "answered_by": probe.answered_by or None,
            "way": verdict.way_of(heard, state, now),
            "version": str(heard.description["version"]) if "version" in heard.description else None,
            "link": link,
            **_named(_problem_of(cell, row, link, state)),
        }
    return {
        **_entry(cell, name),
        "is_parent": row.is_parent,
        "driver": row.driver,
        "also_accept": row.also_accept,
        "transport_url": transport_url.mask(row.transport_url),
        "spoken": version.get("spoken"),
        "can_be_raised": version.get("can_be_raised"),
        "held_by": version.get("reason") or None,
        **known,
        **cell.losses.of(name),
    }


def _problem_of(cell: LocalCell, row: Neighbor, link: Mapping[str, Any] | None, state: State) -> Problem | None:
    table, heard = cell.table, cell.table.heard(row.name)
    # While a link moves, its messages may take the other driver.
    if link is not None and row.is_direct:
        found = direct_verdict.problem_of(cell.name, row, link, state)
        if found is not None:
            return found
    if heard is None:
        return None
    namesake = table.namesake_of(row.name)
    return verdict.problem_of(
        cell.name, row, heard, state, table.now(), own_urls=cell.own_urls, namesake=namesake
    ) or direct_verdict.finding_of(row, _warnings(cell, row, link))


def _named(problem: Problem | None) -> dict[str, str | None]:
    if problem is None:
        return {"problem": None, "problem_name": None}
    return {"problem": problem.text, "problem_name": problem.name}


def _warnings(cell: LocalCell, row: Neighbor, link: Mapping[str, Any] | None) -> list[str]:
    """Return the texts about the certificates of a direct link that end soon."""
    if link is None:
        return []
    now = datetime.fromtimestamp(cell.wall_clock(), timezone.utc)
    return [*link["warnings"], *expiring([(f"Neighbor {row.name}", one) for one in row.certificate_list], now)]


def _round_trip_of(link: Mapping[str, Any] | None) -> float | None:
    found = [manager["round_trip"] for manager in (link or {}).get("managers", ())]
    return min((round(seconds, 6) for seconds in found if seconds), default=None)


def _stranger(cell: LocalCell, name: str, age_seconds: float) -> dict[str, Any]:
    return {
        **_entry(cell, name),
        "state": UNREGISTERED,
        "last_seen_seconds": _rounded(age_seconds),
        "way": "in",
        **_named(verdict.problem_of_stranger(name)),
    }


_KEYS = (
    *(
        "is_parent",
        "driver",
        "also_accept",
        "transport_url",
        "state",
        "since_seconds",
        "last_seen_seconds",
        "unanswered",
    ),
    *("round_trip_seconds", "answered_by", "way", "version", "spoken", "can_be_raised", "held_by"),
    *("link", "problem", "problem_name"),
)


def _entry(cell: LocalCell, name: str) -> dict[str, Any]:
    return {"name": name, "cell": cell.name, "seen_by": cell.identity["host"], **dict.fromkeys(_KEYS)}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
