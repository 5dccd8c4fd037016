"""Tree of cells with several releases, in which a test sees every message on every link.

A cell of an older release is a cell of this release without the later features: it announces its version, speaks
no higher version, ignores later keys, and does not have ``process_messages``.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cells import conf as cells_conf
from cells import service, versions
from cells.endpoints import Endpoints
from cells.manager.lifecycle import CellsService
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from tests.functional.cell_tree import CellTree, Shape, TreeCell, wait_for

#: Keys of a message's head, by the version that added them.
NEW_KEYS = {
    "1.0": frozenset[str](),
    "1.1": frozenset({"time_left", "reply_server", "traceparent", "trace"}),
    "1.2": frozenset({"stream"}),
    "1.3": frozenset[str](),
    "1.4": frozenset({"reply_to"}),
}
VERSIONS = tuple(NEW_KEYS)
_PAYLOAD = frozenset({"payload", "ctxt", "method_kwargs"})


@dataclass(frozen=True)
class Arrival:
    """One message that a manager received from a neighbor."""

    cell: str
    host: str
    #: whether the message came with process_messages instead of process_message
    is_item: bool
    #: all keys of the message
    keys: Mapping[str, Any]

    @property
    def head(self) -> Mapping[str, Any]:
        """The keys that every relay reads."""
        return {key: value for key, value in self.keys.items() if key not in _PAYLOAD}

    @property
    def arguments(self) -> dict[str, Any]:
        keys = json.loads(self.keys["payload"]) if "payload" in self.keys else self.keys
        arguments: dict[str, Any] = keys["method_kwargs"]
        return arguments

    @property
    def features(self) -> set[str]:
        """The versions whose features the message has, without the oldest version."""
        found = {version for version, keys in NEW_KEYS.items() if keys & self.keys.keys()}
        return found | ({"1.3"} if self.is_item or "payload" in self.keys else set())


class VersionTree(CellTree):
    """Tree of cells with releases and caps.

    :param releases: name of a cell -> newest version that it reads, if not the version of this release
    :param caps: (cell, neighbor) -> cap in the cell's row of the neighbor
    """

    def __init__(
        self,
        shape: Shape,
        *,
        releases: Mapping[str, str] | None = None,
        caps: Mapping[tuple[str, str], str] | None = None,
        **options: Any,
    ) -> None:
        self._releases = dict(releases or {})
        self._caps = dict(caps or {})
        self._functions: Sequence[Callable[..., Any]] = ()
        self._arrivals: list[Arrival] = []
        self._lock = threading.Lock()
        #: calls of methods that the receiving cell does not have
        self.unreadable: list[Arrival] = []
        super().__init__(shape, **options)

    def start(self) -> None:
        """Start all cells; return when each manager knows the version of every neighbor."""
        super().start()
        for path in self.cells:
            self._wait_until_announced(str(path))

    def _wait_until_announced(self, cell: str) -> None:
        for manager in self[cell].managers:
            for name in manager.table.snapshot().all():
                wait_for(lambda: _announced(manager, name), f"{name} announces its version to {cell}")  # noqa: B023

    def forget_arrivals(self) -> None:
        """Forget all messages so far."""
        with self._lock:
            self._arrivals.clear()
            self.unreadable.clear()

    def arrivals(self, **keys: Any) -> list[Arrival]:
        """Return the messages with these keys, in the order of their arrival."""
        with self._lock:
            return [arrival for arrival in self._arrivals if keys.items() <= arrival.keys.items()]

    def answers(self, request: Arrival, cell: str) -> list[Arrival]:
        """Return the answers to a request that a cell received."""
        return [one for one in self.arrivals(response_uuid=request.keys["uuid"]) if one.cell == cell]

    def link_version(self, cell: str, neighbor: str) -> str:
        """Return the version that a cell speaks with a neighbor."""
        (link,) = [link for link in self[cell].service.cell.links()["links"] if link["neighbor"] == neighbor]
        return str(link["spoken"])

    def wait_for_version(self, cell: str, neighbor: str, version: str) -> None:
        wait_for(lambda: self.link_version(cell, neighbor) == version, f"{cell} speaks {version} with {neighbor}")

    def restart(self, name: str, release: str) -> None:
        """Stop a cell and start it with another release."""
        cell = self[name]
        cell.managers[0].stop()
        self._releases[name] = release
        for neighbor in cell.service.table.snapshot().all():
            cell.database.update(neighbor, version_cap=self._cap(name, neighbor))
        endpoints = Endpoints.load()
        for function in self._functions:
            endpoints.add(function)
        conf = cells_conf.load(cell.conf.config_file)
        cell.managers[0] = service.build(conf, endpoints=endpoints, serves_local_cell=False)
        self._make(cell.managers[0], name)
        cell.managers[0].start()

    def upgrade(self) -> None:
        """Restart the cells of older releases with this release; return when every link speaks its version."""
        for name in [name for name, release in self._releases.items() if release != versions.CURRENT]:
            self.restart(name, versions.CURRENT)
        for path in self.cells:
            for neighbor in self[str(path)].service.table.snapshot().all():
                self.wait_for_version(str(path), neighbor, versions.CURRENT)

    def _build(self, path: CellPath, count: int, endpoints: Sequence[Callable[..., Any]], *options: Any) -> TreeCell:
        self._functions = endpoints
        cell = super()._build(path, count, endpoints, *options)
        for manager in cell.managers:
            self._make(manager, path.last)
        assert isinstance(cell, TreeCell)
        return cell

    def _neighbors(self, path: CellPath) -> list[Neighbor]:
        return [
            dataclasses.replace(row, version_cap=self._cap(path.last, row.name)) for row in super()._neighbors(path)
        ]

    def _cap(self, cell: str, neighbor: str) -> str | None:
        """Return the cap of the row, at most the version of the cell."""
        cap, release = self._caps.get((cell, neighbor)), self._releases.get(cell)
        if release is None or cap is None or cap == versions.AUTO:
            return release or cap
        return versions.lowest(release, cap)

    def _make(self, manager: CellsService, cell: str) -> None:
        """Give the manager the release of its cell, and record the messages that it receives."""
        release = self._releases.get(cell, versions.CURRENT)
        newer = VERSIONS[VERSIONS.index(release) + 1 :]
        unknown = frozenset[str]().union(*(NEW_KEYS[version] for version in newer))
        describe, receive = manager.cell.describe, manager.router.receive
        host = str(describe()["host"])

        def take(came: object, neighbor: str = "", age_seconds: float = 0.0, **how: str) -> None:
            many = came if isinstance(came, list) else [json.loads(came) if isinstance(came, str) else came]
            arrivals = [Arrival(cell, host, is_item=not isinstance(came, str), keys=keys) for keys in many]
            with self._lock:
                self._arrivals += arrivals
                if not isinstance(came, str) and "1.3" in newer:
                    self.unreadable += arrivals
                    return
            known = [{key: value for key, value in keys.items() if key not in unknown} for keys in many]
            read = json.dumps(known[0]) if isinstance(came, str) else known if isinstance(came, list) else known[0]
            receive(read, neighbor, age_seconds, **how)

        if newer:
            manager.cell.describe = lambda: {**describe(), "version": release}  # type: ignore[method-assign]
        manager.router.receive = take  # type: ignore[method-assign]


def _announced(manager: CellsService, neighbor: str) -> str | None:
    heard = manager.table.heard(neighbor)
    return None if heard is None else heard.version
