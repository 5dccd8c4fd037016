"""The cell itself, as endpoints see it: the implementation of :class:`cells.endpoints.LocalCell`."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

from cells import exceptions
from cells.counters import Counters
from cells.endpoints import CellPicker
from cells.limited_log import LimitedLog
from cells.links.losses import Losses
from cells.manager.announcer import Announcer, on_change
from cells.manager.prober import Prober
from cells.neighbors import Neighbor, NeighborTable, State
from cells.neighbors.capabilities import BOUNDS, bounded_capabilities, bounded_capacities
from cells.neighbors.link_versions import LinkVersions
from cells.neighbors.managers import ROWS
from cells.neighbors.resources import Resources
from cells.neighbors.table import IS_PLACED
from cells.neighbors.topology import Topology
from cells.routing.pending import PendingCalls
from cells.routing.reply import Reply
from cells.services.local import LocalServices

LOG = logging.getLogger(__name__)

#: Links with problems in one answer: it must stay far below the longest message.
MAX_TROUBLED = 200
#: keys of a neighbor that the cells above need not know
_ADDRESSES = ("transport_url", "link")


@dataclass(kw_only=True, eq=False, repr=False)
class LocalCell:
    """State of this cell and of its neighbors, and the calls that wait for answers in it.  Thread-safe."""

    #: the constants of this manager: name, host, process id, version, release
    identity: Mapping[str, Any]
    #: as :func:`cells.transport.mailbox.own_urls` returns them, with their passwords
    own_urls: Sequence[str]
    resources: Resources
    table: NeighborTable
    link_versions: LinkVersions
    topology: Topology
    announcer: Announcer
    prober: Prober
    pending: PendingCalls
    counters: Counters
    losses: Losses
    services: LocalServices
    picker: CellPicker
    #: returns the neighbors as :mod:`cells.manager.neighbor_report` says
    report: Callable[[], list[dict[str, Any]]] = field(init=False)
    #: returns why the neighbors cannot be read now; None: they can
    source_problem: Callable[[], str | None] = field(init=False)
    #: as :meth:`cells.manager.consumer_proof.ConsumerProof.prove`
    prove_consumers: Callable[[float], futures.Future[dict[str, str]]] = field(init=False)

    def __post_init__(self) -> None:
        self._log = LimitedLog(LOG)
        #: revision of the table -> the answer to a ping then
        self._described: tuple[int, dict[str, Any]] = (-1, {})

    @property
    def name(self) -> str:
        return self.topology.cell_name

    def describe(self) -> dict[str, Any]:
        """Return the answer to a ping; the caller must not change it."""
        revision, (known, description) = self.table.revision, self._described
        if revision != known:
            # A change meanwhile leaves an old number, and the next ping asks again.
            description = self._describe()
            self._described = (revision, description)
        return description

    def _describe(self) -> dict[str, Any]:
        path = str(self.topology.own_path)
        own = {"cell": path, "path": path, IS_PLACED: self.topology.is_placed, ROWS: self.table.snapshot().digest}
        return {**self.identity, **own, "subtree": self.topology.subtree()}

    def links_down(self, neighbors: Iterable[str]) -> list[str]:
        """Return those of these neighbors that take no messages now; have them probed soon."""
        down = [name for name in neighbors if self.table.is_link_down(name) or self.losses.is_away(name)]
        for name in down:
            self.prober.probe_soon(name)
        return down

    def link_status(self, row: Neighbor) -> Mapping[str, Any] | None:
        """Return the state of a link as its driver knows it, or the driver to or from which it moves; else None."""
        for driver in filter(None, (row.driver, row.also_accept)):
            # A driver that does not load was logged when the row was read.
            with contextlib.suppress(exceptions.CellsError):
                found = self.prober.drivers.get(driver).link_status(row)
                if found is not None:
                    return found
        return None

    def wall_clock(self) -> float:
        """Return the time in seconds since 1970."""
        return self.prober.runtime.wall_clock()

    def service_usage(self) -> dict[str, Any]:
        """Return the use of the services, and as ``seen_by`` the host of this manager."""
        return {"seen_by": self.identity["host"], **self.services.usage.as_dict()}

    def links(self) -> dict[str, Any]:
        """Return the version that this cell reads, and the version of each link with the reason for it."""
        neighbors = self.table.snapshot()
        links = [
            {
                "neighbor": row.name,
                "is_parent": row.is_parent,
                "state": self.table.state(row.name).value,
                **dataclasses.asdict(self.link_versions.explain(row)),
            }
            for _, row in sorted(neighbors.all().items())
        ]
        return {"cell": str(self.topology.own_path), "reads": self.identity["version"], "links": links}

    def examine(self) -> dict[str, Any]:
        """Return the problems of this cell that this manager sees.

        :returns: ``cell``, its full path; ``host`` and ``release`` of this manager; ``time``, in seconds since 1970;
            ``source_problem``, why the neighbors cannot be read, or None; ``neighbors``, the objects of
            :mod:`cells.manager.neighbor_report` of links with a problem, a loss or a low cap, without addresses; and
            ``left_out``, the number of further ones
        """
        troubled = [row for row in self.report() if _is_troubled(row)]
        shown = [{key: value for key, value in row.items() if key not in _ADDRESSES} for row in troubled[:MAX_TROUBLED]]
        return {
            "cell": str(self.topology.own_path),
            **{key: self.identity[key] for key in ("host", "release")},
            "time": round(self.wall_clock(), 3),
            "source_problem": self.source_problem(),
            "neighbors": shown,
            "left_out": len(troubled) - len(shown),
        }

    def resolve(self, response_to: str, part: str, responses: Sequence[str], passed_on_to: Sequence[str]) -> bool:
        reply = Reply.from_wire(responses, passed_on_to)
        found = self.pending.add(response_to, part, reply)
        if not self.prober.learn_version(response_to, part, reply) and not found:
            self.prober.note_other_name(response_to, part)
            # The answer is late or a duplicate, or another manager made the call and answers are fanned out.
            self.counters.count("dropped", "response")
            LOG.debug("The answer of %s to %s is dropped: no call waits for it here.", part, response_to)
        return found

    def answer_announcement(self, parent: str) -> None:
        self.announcer.answer_announcement(parent)

    def answer_ping(self, sender: str) -> dict[str, Any]:
        """Note a ping of ``sender``; return the answer, with the time in seconds since 1970."""
        if sender != self.name:
            self.table.record_request(sender)
            self.prober.heard_from(sender)
        return {**self.describe(), "time": round(self.wall_clock(), 3)}

    def send_capacities(self) -> None:
        self.announcer.send_capacities()

    def record_capabilities(self, child: str, capabilities: Mapping[str, Sequence[str]]) -> None:
        kept, left_out = bounded_capabilities(capabilities)
        self._report_excess(child, "capabilities", left_out)
        with on_change(self.resources.capabilities, self.announcer.send_capabilities):
            self._record(child, capabilities=kept)
        # The child may have new cells below it, or run another release now.
        self.prober.ping(child)

    def record_capacities(self, child: str, capacities: Mapping[str, Any]) -> None:
        kept, left_out = bounded_capacities(capacities)
        self._report_excess(child, "capacities", left_out)
        with on_change(self.resources.capacities, self.send_capacities):
            self._record(child, capacities=kept)

    def report_capacities(self, reporter: str, capacities: Mapping[str, Any]) -> None:
        """Record the capacities that a service of this cell reports."""
        with on_change(self.resources.capacities, self.send_capacities):
            self.resources.report(reporter, capacities)

    def _report_excess(self, child: str, kind: str, left_out: int) -> None:
        """Count and log what a child reports beyond its bounds."""
        if left_out:
            self.counters.count("left_out", kind, times=left_out)
            self._log.warn_about(
                child,
                "%d %s of cell %.80s are left out: at most %d names and values in %d bytes are kept, and only those "
                "that a cell can have.",
                left_out,
                kind,
                child,
                *BOUNDS,
            )

    def _record(self, child: str, **values: Any) -> None:
        if child not in self.table.snapshot().children or not self.table.record(child, **values):
            raise exceptions.CellNotFound(
                f"Cell {self.name} refuses the announcement of {child!r:.80}, which is not registered as a child: "
                'register it there with "cells neighbor create --type child".',
                cell=child,
            )


def _is_troubled(row: Mapping[str, Any]) -> bool:
    return row["state"] != State.UP.value or any(row.get(key) for key in ("problem", "can_be_raised", "lost"))
