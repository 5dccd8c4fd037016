"""Collector of the numbers about each neighbor.

It reads the present table of neighbors, so the numbers of a deleted neighbor end with its row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.metrics_core import Metric

from cells import versions
from cells.links import Links, Losses
from cells.metrics.families import Families
from cells.neighbors import Direction, Neighbor, NeighborTable, State
from cells.neighbors.link_versions import LinkVersion, LinkVersions
from cells.worker_threads import Clock

#: Outcomes of messages that are given up: attributes of :class:`cells.links.losses.Tally`.
RESULTS = ("lost", "may_have_arrived", "told")


@dataclass(kw_only=True, eq=False, repr=False)
class NeighborCollector:
    """Reads the state of the links when its registry is asked."""

    cell_name: str
    table: NeighborTable
    link_versions: LinkVersions
    links: Links
    losses: Losses
    #: returns the state of a direct link, as :meth:`cells.drivers.direct.node.Node.status` describes; else None
    link_status: Callable[[Neighbor], Mapping[str, Any] | None]
    wall_clock: Clock

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; called by the registry."""
        found, rows, backlogs = Families(), self.table.snapshot().all(), self.links.backlogs()
        for name, row in sorted(rows.items()):
            self._add_state(found, row)
            self._add_probe(found, name)
            status = self.link_status(row) if row.is_direct else None
            if status is None:
                messages, size_bytes, age_seconds = backlogs.get(name, (0, 0, 0.0))
            else:
                messages, size_bytes = direct_queue(status)
                age_seconds = status["oldest_seconds"]
                _add_connections(found, name, status)
            found.add("cells_link_queue_messages", name, value=messages)
            found.add("cells_link_queue_bytes", name, value=size_bytes)
            found.add("cells_link_queue_oldest_seconds", name, value=age_seconds)
        self._add_messages(found, {*rows, self.cell_name})
        yield from found

    def _add_state(self, found: Families, row: Neighbor) -> None:
        name, direction = row.name, (Direction.UP if row.is_parent else Direction.DOWN).value
        version = self.link_versions.explain(row)
        labels = (direction, row.driver, version.spoken, version.announced or "", _cap(version))
        found.add("cells_link_info", name, *labels, value=1)
        present = self.table.state(name)
        for state in State:
            found.add("cells_link_state", name, direction, state.value, value=state is present)

    def _add_probe(self, found: Families, name: str) -> None:
        heard, now, wall_now = self.table.heard(name), self.table.now(), self.wall_clock()
        if heard is None:
            return
        probe = heard.probe
        since_seconds = probe.since_seconds(now)
        if since_seconds is not None:
            found.add("cells_link_since_timestamp_seconds", name, value=wall_now - since_seconds)
        if probe.round_trip_seconds is not None:
            found.add("cells_link_round_trip_seconds", name, value=probe.round_trip_seconds)
        if probe.answered_at is not None:
            answered_at = wall_now - (now - probe.answered_at)
            found.add("cells_link_last_answer_timestamp_seconds", name, value=answered_at)
        found.add("cells_link_unanswered_probes", name, value=probe.overdue(now))

    def _add_messages(self, found: Families, cells: set[str]) -> None:
        totals = {(cell, result): 0 for cell in sorted(cells) for result in RESULTS}
        for key, tally in sorted(self.losses.tallies().items()):
            if key.cell not in cells:
                continue
            if not key.reason:
                found.add("cells_in_flight_messages", key.cell, key.kind, value=max(tally.in_flight, 0))
                if key.cell != self.cell_name:
                    found.add("cells_delivered_messages_total", key.cell, key.kind, value=tally.delivered)
                continue
            for result in RESULTS:
                count = getattr(tally, result)
                totals[key.cell, result] += count
                if count:
                    found.add("cells_given_up_messages_total", *key, result, value=count)
        for labels, count in totals.items():
            found.add("cells_lost_messages_total", *labels, value=count)


def _cap(version: LinkVersion) -> str:
    """Return the lower of the two caps of a link; empty if operators set none."""
    caps = {version.global_cap, version.neighbor_cap or versions.AUTO} - {versions.AUTO}
    readable = [cap for cap in caps if cap in versions.HISTORY]
    if len(readable) == len(caps) and caps:
        return versions.lowest(*readable)
    return ", ".join(sorted(caps))


def direct_queue(status: Mapping[str, Any]) -> tuple[int, int]:
    """Return the messages and bytes in the queue of a direct link."""
    classes = status["queue"].values()
    return sum(one["messages"] for one in classes), sum(one["bytes"] for one in classes)


def _add_connections(found: Families, name: str, status: Mapping[str, Any]) -> None:
    managers = status["managers"]
    found.add("cells_link_connections", name, value=len(managers))
    for message_class in dict.fromkeys(one for manager in managers for one in manager["credit"]):
        free = [manager["credit"][message_class] for manager in managers]
        for unit in ("messages", "bytes"):
            total = sum(credit[unit] for credit in free)
            found.add(f"cells_link_credit_{unit}", name, message_class, value=total)
