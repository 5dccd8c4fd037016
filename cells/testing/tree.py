"""CellTree: a whole tree of cells in this process, for the tests of services.

Each cell has one or more managers, an SQLite database with the real schema, in
which its neighbors are registered, and a transport of its own for its services:
``zmq+ipc``, which needs no broker.  Messages are real JSON at every hop.  Only the brokers and the processes of a
deployment are replaced.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any

from oslo_service import backend

from cells import conf as cells_conf
from cells import exceptions, service
from cells.drivers import memory
from cells.endpoints import Endpoints
from cells.manager.lifecycle import CellsService
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from cells.testing.cell import TreeCell
from cells.testing.cell_store import CellStore
from cells.testing.direct_links import DirectLinks
from cells.testing.faults import FaultyWire
from cells.testing.files import CellFiles, Options
from cells.testing.link import Link

#: name of a cell -> the cells below it
Shape = Mapping[str, Any]

#: Timeout of a start.
START_TIMEOUT_SECONDS = 10.0
_PAUSE_SECONDS = 0.002
#: The messages of a start form chains of at most so many messages, each the cause of the next: a request for an
#: announcement, the announcement, a ping, the answer.
_ROUNDS = 4


class CellTree:
    """Context manager that starts and stops a tree of cells.

    ``tree["az1"]`` and ``tree["api!east!az1"]`` are the same :class:`cells.testing.TreeCell`.
    A cell of the tree allows every call from other cells that ``options`` do not forbid.
    """

    #: the class of the cells
    cell_class: type[TreeCell] = TreeCell

    def __init__(  # noqa: PLR0913  # the differences between trees, by keyword
        self,
        shape: Shape,
        *,
        endpoints: Sequence[Callable[..., Any]] = (),
        options: Options | None = None,
        cell_options: Mapping[str, Options] | None = None,
        managers: Mapping[str, int] | None = None,
        exception_modules: Sequence[str] = (),
        services: bool = True,
        links: str = "memory",
    ) -> None:
        """Write the files and build the managers.

        :param shape: the cells and those below them, ``{"api": {"east": {"az1": {}}, "west": {}}}``
        :param endpoints: further functions with :func:`cells.endpoints.endpoint` in every cell
        :param options: of every cell, ``{"cells": {"call_timeout": 1}}``
        :param cell_options: of one cell, by its name or path; they override ``options``
        :param managers: the number of managers of a cell, by its name or path; by default 1
        :param exception_modules: modules whose exceptions clients in these cells raise again, beside those of
            ``cells.exceptions``, as ``allowed_remote_exmods`` of ``oslo_messaging.get_rpc_transport``
        :param services: whether managers serve the services of their cells.  A tree without services, for a test that
            calls ``managers`` directly, starts faster
        :param links: ``memory``, whose links can have faults, or ``direct``: TLS connections on the loopback address,
            whose managers have no broker between them
        :raises cells.exceptions.ConfigurationError: an option has an invalid value
        :raises cells.exceptions.CellNotFound: options or managers are for a cell that is not in the tree
        """
        _check_concurrency()
        self.shape = shape
        self.cells: dict[CellPath, TreeCell] = {}
        self._services = services
        self._is_quiet = False
        self._exception_modules = exception_modules
        self._paths = [path for path, _ in _walk(shape)]
        self._wires: dict[tuple[CellPath, CellPath], FaultyWire] = {}
        manager_counts = {**dict.fromkeys(self._paths, 1), **self._by_path(managers or {})}
        own_options = self._by_path(cell_options or {})
        self._files = CellFiles(self._paths)
        self._direct: DirectLinks | None = None
        with self._cleaning_up_if_it_fails():
            if _want_links(links) == "direct":
                self._direct = DirectLinks(self._files.directory, manager_counts)
            for path, count in manager_counts.items():
                self.cells[path] = self._build(path, count, endpoints, options or {}, own_options.get(path, {}))
            for parent, child in self._links() if self._direct is None else ():
                for ends in ((parent, child), (child, parent)):
                    self._wires[ends] = FaultyWire()
                    self._lay(ends, self._wires[ends])

    def __enter__(self) -> CellTree:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __getitem__(self, name: str) -> TreeCell:
        """Return one cell.

        :raises cells.exceptions.CellNotFound: no cell has that name or path
        :raises cells.exceptions.AmbiguousCell: several cells have that name: give the path
        """
        return self.cells[self._path(name)]

    def start(self) -> None:
        """Start all cells; return when each knows its path and the cells below it.  After an error all are stopped."""
        with self._cleaning_up_if_it_fails():
            for cell in self.cells.values():
                cell.start()
            self.wait_until_known()

    def stop(self) -> None:
        """Stop all cells, and remove every file.  May be called twice.

        :raises TimeoutError: a method of a service still runs; everything else is stopped
        """
        with contextlib.ExitStack() as stack:
            stack.callback(self._files.remove)
            if self._direct is not None:
                stack.callback(self._direct.close)
            for cell in self.cells.values():
                stack.callback(cell.close)
            for cell in self.cells.values():
                stack.callback(cell.stop)
            for cell in self.cells.values():
                stack.callback(cell.stop_services)
            for ends, wire in self._wires.items():
                self._lay(ends, None)
                stack.callback(wire.close)

    def link(self, one: str, other: str) -> Link:
        """Return the connection between two neighbors, to inject faults.

        :raises cells.exceptions.NeighborNotFound: the two cells are in the tree, but are not neighbors
        """
        ends = self._path(one), self._path(other)
        if self._direct is not None:
            raise exceptions.ConfigurationError("Direct links have no faults: build the tree with memory links.")
        if ends not in self._wires:
            raise exceptions.NeighborNotFound(
                f"{ends[0]} and {ends[1]} are no neighbors in this tree, so there is no link between them.",
                cell=str(ends[1]),
            )
        if not self._is_quiet:
            self._wait_until_quiet()
            self._is_quiet = True
        return Link({ends[0]: self._wires[ends[1], ends[0]], ends[1]: self._wires[ends]})

    def wait_until_known(self) -> None:
        """Wait until all managers of all cells know the whole shape of the tree."""
        for path, below in _walk(self.shape):
            for manager in self.cells[path].managers:
                _wait_until_placed(manager, path, below)

    def _wait_until_quiet(self) -> None:
        """Wait until the messages of the start have been read, so that no fault applies to them.

        Messages between two cells arrive in their order: when a ping is answered, all messages before it have been
        read.  The messages that they caused have been read when the next ping is answered.
        """
        for _ in range(_ROUNDS):
            pings = []
            for one, other in self._wires:
                manager = self.cells[one].managers[0].manager
                # A cell that the test has stopped does not answer.
                with contextlib.suppress(exceptions.CellsError):
                    pings.append(manager.call({}, str(other), "ping", {}, START_TIMEOUT_SECONDS))
            futures.wait(pings)

    def _build(
        self, path: CellPath, count: int, endpoints: Sequence[Callable[..., Any]], *options: Options
    ) -> TreeCell:
        self._files.write_database(path, self._neighbors(path))
        confs = []
        for number in range(1, count + 1):
            of_links = () if self._direct is None else (self._direct.options(path, number),)
            confs.append(cells_conf.load([self._files.write_config(path, number, *of_links, *options)]))
        managers = []
        store = CellStore(self._files.database(path))
        for conf in confs:
            found = Endpoints.load()
            for function in endpoints:
                found.add(function)
            managers.append(service.build(conf, endpoints=found, serves_local_cell=self._services, store=store))
        return self.cell_class(path, confs[0], managers, self._exception_modules)

    def _neighbors(self, path: CellPath) -> list[Neighbor]:
        """Return the rows for a cell's database."""
        ends = [(parent, True) for parent, child in self._links() if child == path]
        ends += [(child, False) for parent, child in self._links() if parent == path]
        if self._direct is not None:
            return [self._direct.neighbor(end, is_parent=is_parent) for end, is_parent in ends]
        return [
            Neighbor(end.last, self._files.transport_url(end), is_parent=is_parent, driver="memory")
            for end, is_parent in ends
        ]

    def _lay(self, ends: tuple[CellPath, CellPath], wire: FaultyWire | None) -> None:
        sender, receiver = ends
        memory.lay_wire(self._files.transport_url(sender), self._files.transport_url(receiver), wire)

    def _links(self) -> list[tuple[CellPath, CellPath]]:
        """Return (parent, child) for each link."""
        return [(path[:-1], path) for path in self._paths if len(path) > 1]

    def _path(self, name: str) -> CellPath:
        found = [path for path in self._paths if name in (path.last, str(path))]
        if not found:
            raise exceptions.CellNotFound(
                f"There is no cell {name} in this tree, only {', '.join(map(str, self._paths))}.", cell=name
            )
        if len(found) > 1:
            raise exceptions.AmbiguousCell(
                f"{name} may be {' or '.join(map(str, found))}: give the path.",
                cell=name,
                candidates=[str(path) for path in found],
            )
        return found[0]

    def _by_path(self, values: Mapping[str, Any]) -> dict[CellPath, Any]:
        return {self._path(name): value for name, value in values.items()}

    @contextlib.contextmanager
    def _cleaning_up_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.stop()
            raise


def _want_links(links: str) -> str:
    if links not in ("memory", "direct"):
        raise exceptions.ConfigurationError(f"The links of a tree are memory or direct, not {links!r:.40}.")
    return links


def _check_concurrency() -> None:
    backend.get_backend()
    if backend.get_backend_type() is not backend.BackendType.THREADING:
        raise exceptions.ConfigurationError(
            "oslo.service runs on eventlet in this process, and a tree of cells needs threads: import "
            "cells.testing before oslo_messaging."
        )


def _wait_until_placed(manager: CellsService, path: CellPath, below: Shape) -> None:
    seen = manager.topology
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while seen.own_path != path or seen.subtree() != below:
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"Cell {path} does not know its path and the cells below it within {START_TIMEOUT_SECONDS:.0f} s. "
                f"Its path is {seen.own_path}, and below are {seen.subtree()}."
            )
        time.sleep(_PAUSE_SECONDS)


def _walk(shape: Shape, above: Iterable[str] = ()) -> Iterator[tuple[CellPath, Shape]]:
    """Yield the path of each cell and the cells below it, parents first."""
    for name, below in shape.items():
        path = CellPath([*above, name])
        yield path, below
        yield from _walk(below, path)
