"""The cell itself: what it says of itself, what it was told, and whom it tells.

Endpoints see it as their :class:`cells.endpoints.LocalCell`; the manager and the
periodic tasks use it too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cells import exceptions, versions
from cells.context import get_admin_context
from cells.counters import Counters
from cells.endpoints import CellPicker
from cells.messages import Response, TargetedMessage
from cells.neighbors import Direction, NeighborTable
from cells.neighbors import capabilities as announcements
from cells.neighbors.capabilities import Capabilities, Capacities, Reports
from cells.neighbors.link_versions import LinkVersions
from cells.neighbors.topology import Topology
from cells.path import CellPath
from cells.routing.pending import PendingCalls
from cells.routing.router import Router
from cells.services.local import LocalServices

LOG = logging.getLogger(__name__)


class Cell:
    """What is known in and of this cell."""

    def __init__(  # noqa: PLR0913  # the parts that the composition root wires together, by keyword
        self,
        *,
        identity: Mapping[str, Any],
        capabilities: Capabilities,
        reports: Reports,
        table: NeighborTable,
        link_versions: LinkVersions,
        topology: Topology,
        router: Router,
        pending: PendingCalls,
        counters: Counters,
        services: LocalServices,
        picker: CellPicker,
        max_hop_count: int,
    ) -> None:
        """``identity`` is what does not change while the manager runs: name, host, version, release."""
        self._identity = dict(identity)
        self._own_capabilities = capabilities
        self._reports = reports
        self._table = table
        self._link_versions = link_versions
        self._topology = topology
        self._router = router
        self._pending = pending
        self._counters = counters
        self._services = services
        self._picker = picker
        self._max_hop_count = max_hop_count
        self._told_paths = topology.own_paths()
        #: neighbor -> id of the last ping to all of its managers
        self._probes: dict[str, str] = {}
        # What is told last has to be what was found out last.
        self._telling = threading.RLock()

    @property
    def name(self) -> str:
        name: str = self._identity["name"]
        return name

    @property
    def services(self) -> LocalServices:
        return self._services

    @property
    def picker(self) -> CellPicker:
        return self._picker

    def describe(self) -> dict[str, Any]:
        """What ping answers."""
        path = str(self._topology.own_path)
        return {**self._identity, "cell": path, "path": path, "subtree": self._topology.subtree()}

    def links(self) -> dict[str, Any]:
        """What this cell reads, and what it speaks with each neighbor, and why."""
        neighbors = self._table.snapshot()
        links = [
            {
                "neighbor": row.name,
                "is_parent": row.is_parent,
                "state": self._table.state(row.name).value,
                **dataclasses.asdict(self._link_versions.explain(row)),
            }
            for _, row in sorted(neighbors.all().items())
        ]
        return {"cell": str(self._topology.own_path), "reads": self._identity["version"], "links": links}

    def resolve(self, response_to: str, part: str, responses: Sequence[str], passed_on_to: Sequence[str]) -> bool:
        found = self._pending.add(response_to, part, responses, passed_on_to)
        probed = self._probes.get(part)
        if probed == response_to and responses:
            self._note_version(part, Response.read(responses[0], ("cells.exceptions",)))
        elif not found:
            # It was fanned out and another manager waits, or it came late or twice.
            self._counters.count("dropped", "response")
            LOG.debug("Nobody here waits for the answer to %s that came from %s.", response_to, part)
        return found

    def capabilities(self) -> Capabilities:
        """Of this cell and all cells below that are not mute."""
        children = self._table.living_children().values()
        return announcements.union([self._own_capabilities, *(heard.capabilities for heard in children)])

    def capacities(self) -> Capacities:
        """Of this cell and all cells below that are not mute."""
        children = self._table.living_children().values()
        return announcements.total([*self._reports.current(), *(heard.capacities for heard in children)])

    def record_capabilities(self, child: str, capabilities: Mapping[str, Sequence[str]]) -> None:
        with _telling_change(self.capabilities, self.send_capabilities):
            self._heard(child, capabilities=dict(capabilities))
        # It may have new cells below it, or be of another release by now.
        self.ping(child, Direction.DOWN)

    def record_capacities(self, child: str, capacities: Mapping[str, Any]) -> None:
        with _telling_change(self.capacities, self.send_capacities):
            self._heard(child, capacities=dict(capacities))

    def report_capacities(self, reporter: str, capacities: Mapping[str, Any]) -> None:
        """Take the numbers of a service of this cell."""
        with _telling_change(self.capacities, self.send_capacities):
            self._reports.record(reporter, capacities)

    def _heard(self, child: str, **said: Any) -> None:
        if child not in self._table.snapshot().children or not self._table.record(child, **said):
            raise exceptions.CellNotFound(f"{child!r:.80} is no child of {self.name}, but tells it news.", cell=child)

    def send_capabilities(self) -> None:
        with self._telling:
            self._tell_parents("update_capabilities", {"cell_name": self.name, "capabilities": self.capabilities()})

    def send_capacities(self) -> None:
        with self._telling:
            self._tell_parents("update_capacities", {"cell_name": self.name, "capacities": self.capacities()})

    def answer_announcement(self, parent: str) -> None:
        """A parent has started, or has learned where it is in the tree: tell it, and ask it."""
        self.send_capabilities()
        if parent in self._table.snapshot().parents:
            self.ping(parent, Direction.UP)

    def ask_for_news(self, child: str) -> None:
        """Have a child tell its capabilities and capacities, and ask who we are."""
        for method in ("announce_capabilities", "announce_capacities"):
            self._cast(child, Direction.DOWN, method, {})

    def tell_if_moved(self) -> None:
        """Have the children ask again who we are if our path from the top is another than before."""
        with self._telling:
            paths = self._topology.own_paths()
            has_moved, self._told_paths = paths != self._told_paths, paths
        if has_moved:
            for child in self._table.living_children():
                self._cast(child, Direction.DOWN, "announce_capabilities", {})

    def announce(self) -> None:
        """From time to time: tell the parents our news, and ask them who they are."""
        self.send_capabilities()
        self.send_capacities()
        for name in self._table.snapshot().parents:
            self.ping(name, Direction.UP)

    def ping(self, neighbor: str, direction: Direction) -> None:
        """Ask a neighbor for its path, version and subtree; what is new in its answer is passed on."""
        self._probe(neighbor, direction)
        message = self._message_to(neighbor, direction, "ping", {}, needs_response=True)
        self._router.send(message, PING_TIMEOUT_SECONDS, is_own=True).add_done_callback(
            lambda done: self._learn(neighbor, Response.read_one(done.result(), ("cells.exceptions",)))
        )

    def _probe(self, neighbor: str, direction: Direction) -> None:
        """Have every manager of a neighbor say what it reads: messages may get to any of them."""
        message = self._message_to(neighbor, direction, "ping", {}, needs_response=True, fanout=True)
        self._probes[neighbor] = message.id
        try:
            self._router.cast(message)
        except exceptions.CellsError as error:
            LOG.debug("The managers of cell %s cannot be asked what they read: %s", neighbor, error.message)

    def _note_version(self, neighbor: str, answer: Response) -> None:
        if isinstance(answer.value, dict):
            self._table.record_version(neighbor, answer.value)

    def _learn(self, neighbor: str, answer: Response) -> None:
        if answer.error is None and isinstance(answer.value, dict):
            with _telling_change(self._topology.subtree, self.send_capabilities):
                self._table.record_description(neighbor, answer.value)
                self.tell_if_moved()
        elif isinstance(answer.error, (exceptions.UnknownMethod, exceptions.RemoteError)):
            # It lives and does not know ping: a cell of Nova's own, whatever it was before.
            self._table.record(neighbor, versions={}, version=versions.OLDEST)

    def _tell_parents(self, method: str, arguments: dict[str, Any]) -> None:
        for name in self._table.snapshot().parents:
            self._cast(name, Direction.UP, method, arguments, fanout=True)

    def _cast(self, name: str, direction: Direction, method: str, arguments: dict[str, Any], **options: Any) -> None:
        try:
            self._router.cast(self._message_to(name, direction, method, arguments, **options))
        except exceptions.CellsError as error:
            LOG.info("Cell %s could not be told %s: %s", name, method, error.message)

    def _message_to(
        self, neighbor: str, direction: Direction, method: str, arguments: dict[str, Any], **options: Any
    ) -> TargetedMessage:
        here = CellPath([self.name])
        return TargetedMessage(
            method=method,
            kwargs=arguments,
            context=get_admin_context().to_dict(),
            route=here,
            target=here.child(neighbor),
            direction=direction,
            max_hop_count=self._max_hop_count,
            # What tells neighbors of each other is read by every release: one of them may have gone back to an older.
            form=versions.OLDEST,
            **options,
        )


@contextlib.contextmanager
def _telling_change(look: Callable[[], object], tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` after the block if what ``look`` gives is another than before it."""
    before = look()
    yield
    if look() != before:
        tell()


#: How long a neighbor may take to say who it is.
PING_TIMEOUT_SECONDS = 30.0
