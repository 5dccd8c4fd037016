"""Set up, inspect and remove a sandbox.  Called by ``cells sandbox``."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import conf as cells_conf
from cells import exceptions
from cells.path import CellPath
from cells.sandbox import databases, formation, ports, processes, starter, state, transports, tree
from cells.sandbox import links as sandbox_links
from cells.sandbox.layout import Layout, find_directory
from cells.sandbox.state import DIRECT, State
from cells.sandbox.tree import Tree

#: Timeout until the cells know each other: a base, and an addend for each cell.
FORMATION_SECONDS = 60.0
FORMATION_SECONDS_PER_CELL = 1.0

Report = Callable[[str], None]


@dataclass(frozen=True)
class CellStatus:
    """State of one cell, for ``cells sandbox status``."""

    path: CellPath
    pid: int | None  #: None if no manager runs
    memory_mb: float | None
    log: Path


@dataclass(frozen=True)
class Up:
    """Result of :meth:`Sandbox.up`."""

    tree: Tree
    topology: dict[str, Any]  #: tree that the top cell knows, see :meth:`cells.rpcapi.CellsAPI.topology`
    started: tuple[str, ...]  #: cells whose managers this call started; empty if all ran before


class Sandbox:
    """The sandbox in one directory, which may not exist yet.

    :param directory: its path; None means ``$CELLS_SANDBOX`` or the default
    """

    def __init__(self, directory: str | None = None) -> None:
        self.directory = find_directory(directory)
        self.layout = Layout(self.directory)

    def up(
        self,
        wanted: Tree | None = None,
        transport: str | None = None,
        links: str | None = None,
        report: Report = lambda _: None,
    ) -> Up:
        """Set up the sandbox, or start its stopped managers; return when all cells know each other.

        If the call fails or is interrupted, it removes everything that it created.

        :param wanted: None means the tree of the existing sandbox, otherwise the default tree
        :param transport: transport URL of a broker; None means that of the existing sandbox, otherwise no broker
        :param links: driver of the links, of :data:`cells.sandbox.state.LINKS`; None means that of the existing
            sandbox with this transport, otherwise the default of the transport
        :param report: called with a line of text before each slow step
        :raises cells.exceptions.SandboxError: a manager does not start, another sandbox is in the directory, ...
        """
        transport = None if transport is None else transports.normalize(transport)
        state.check_is_ours(self.layout)
        with _translated_errors():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with state.locked(self.layout):
            found = state.read(self.layout)
            running = {manager.config.parent.name for manager in processes.find(self.directory)}
            if found is not None and running:
                self._check_is_same(found, wanted, transport, links)
                return self._restart(found, [name for name in found.tree.names() if name not in running], report)
            if running:
                report(f"Stopping managers of deleted cells in {self.directory}.")
                self._stop_managers()
            if found is not None:
                report(f"Removing the old sandbox in {self.directory}: none of its managers runs.")
                self._remove(found)
            try:
                return self._set_up(self._state(found, wanted, transport, links), report)
            except BaseException:
                if processes.find(self.directory):
                    report("The setup failed. Removing the sandbox.")
                self._take_down(state.read(self.layout))
                raise

    def status(self) -> list[CellStatus] | None:
        """Return the state of every cell, parents before their children; None if there is no sandbox.

        :raises cells.exceptions.SandboxError: the state file cannot be read
        """
        found = state.read(self.layout)
        if found is None:
            return None
        running = {manager.config.parent.name: manager.pid for manager in processes.find(self.directory)}
        return [self._cell_status(path, running.get(path.last)) for path, _ in found.tree.walk()]

    def down(self) -> bool:
        """Stop all managers and remove all files; return whether there was a manager or a sandbox.

        :raises cells.exceptions.SandboxError: a file or virtual host remains, or the directory is not a sandbox
        """
        try:
            state.check_is_ours(self.layout)
        except exceptions.SandboxError as error:
            if not self._stop_managers():
                raise
            raise exceptions.SandboxError(
                f"{error.message} Its managers are stopped; remove the files by hand."
            ) from error
        if not self.directory.exists():
            return self._stop_managers()
        with state.locked(self.layout):
            found = state.read(self.layout)
            had_managers = self._take_down(found)
            return had_managers or found is not None

    # The caller of the following methods holds the lock.

    def _check_is_same(self, found: State, wanted: Tree | None, transport: str | None, links: str | None) -> None:
        difference = None
        if wanted not in (None, found.tree):
            difference = f"the tree {found.tree}"
        elif transport not in (None, found.transport):
            difference = "another transport"
        elif links not in (None, found.links):
            difference = f"links of the driver {found.links}"
        if difference:
            raise exceptions.SandboxError(
                f"The directory {self.directory} has a sandbox with {difference}: remove it with "
                "'cells sandbox down', or give another directory with --directory."
            )

    def _state(self, found: State | None, wanted: Tree | None, transport: str | None, links: str | None) -> State:
        """Return the state of the sandbox to set up, in place of the state ``found``."""
        shape = wanted or (found.tree if found else tree.parse(tree.DEFAULT_TREE))
        url = transport or (found.transport if found else transports.BROKERLESS)
        driver = links or (found.links if found and found.transport == url else sandbox_links.default(url))
        names = shape.names()
        self.layout.check(names)
        last_ports = found.ports if found else {}
        wanted_ports = {name: last_ports.get(name, 0) for name in names} if driver == DIRECT else {}
        return State(shape, url, transports.names_of_virtual_hosts(url, names), driver, wanted_ports)

    def _set_up(self, wanted: State, report: Report) -> Up:
        """Set up the sandbox with the ports of ``wanted``, or others if these are in use."""
        with ports.reserved(wanted.ports) as free:
            fresh = dataclasses.replace(wanted, ports=free)
            transport = transports.transport_of(self.layout, fresh)
            with _translated_errors():
                state.write(self.layout, fresh)
                try:
                    transport.create()
                except exceptions.SandboxError:
                    # No virtual host exists, so there is none to remove.
                    state.write(self.layout, dataclasses.replace(fresh, virtual_hosts={}))
                    raise
                links = sandbox_links.links_of(self.layout, fresh, transport)
                databases.create(self.layout, fresh.tree, transport, links)
            return self._start(fresh, fresh.tree.names(), report)

    def _restart(self, found: State, names: list[str], report: Report) -> Up:
        """Start the managers of these cells, at other ports if theirs are in use."""
        with ports.reserved({name: found.ports[name] for name in names if name in found.ports}) as free:
            moved = {name: port for name, port in free.items() if port != found.ports[name]}
            if moved:
                report(f"The ports of {', '.join(moved)} are in use; their managers get other ports.")
                found = self._move(found, moved)
            return self._start(found, names, report)

    def _move(self, found: State, free: dict[str, int]) -> State:
        """Give managers that do not run other ports; have their children read these ports."""
        moved = dataclasses.replace(found, ports={**found.ports, **free})
        with _translated_errors():
            children = sandbox_links.move(self.layout, found, free)
            state.write(self.layout, moved)
        running = processes.find(self.directory)
        processes.reload([manager for manager in running if manager.config.parent.name in children])
        return moved

    def _start(self, found: State, names: list[str], report: Report) -> Up:
        """Start the managers of these cells and wait until all cells know each other; after a failure stop them."""
        try:
            if names:
                report(f"Starting {len(names)} cells-manager in {self.directory}.")
                with _translated_errors():
                    starter.start([self.layout.cell(name) for name in names])
            conf = cells_conf.load([self.layout.cell(found.tree.name).config])
            timeout_seconds = FORMATION_SECONDS + FORMATION_SECONDS_PER_CELL * len(found.tree.names())
            return Up(found.tree, formation.wait(conf, found.tree, timeout_seconds), tuple(names))
        except BaseException:
            managers = processes.find(self.directory)
            processes.stop([manager for manager in managers if manager.config.parent.name in names])
            raise

    def _take_down(self, found: State | None) -> bool:
        """Stop all managers and remove all files; return whether a manager ran."""
        had_managers = self._stop_managers()
        if found is not None:
            self._remove(found)
        self.layout.lock.unlink(missing_ok=True)
        # The directory stays if it has other files.
        with contextlib.suppress(OSError):
            self.directory.rmdir()
        return had_managers

    def _stop_managers(self) -> bool:
        had_managers = False
        # Twice: a child process of an interrupted start may execute the manager after the first search.
        for _ in range(2):
            managers = processes.find(self.directory)
            processes.stop(managers)
            had_managers = had_managers or bool(managers)
        return had_managers

    def _remove(self, found: State) -> None:
        """Remove virtual hosts and files; the state file last, because a new removal needs it."""
        try:
            transports.transport_of(self.layout, found).delete()
        except exceptions.SandboxError as error:
            raise exceptions.SandboxError(
                f"All managers are stopped, but these virtual hosts of the broker remain: "
                f"{', '.join(found.virtual_hosts.values())}. {error.message} Then run 'cells sandbox down' again, "
                f"or remove the virtual hosts and {self.directory} by hand."
            ) from error
        with _translated_errors():
            for name in found.tree.names():
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(self.layout.cell(name).directory)
            self.layout.state.unlink(missing_ok=True)

    def _cell_status(self, path: CellPath, pid: int | None) -> CellStatus:
        memory_mb = None if pid is None else processes.memory_mb(pid)
        return CellStatus(path, pid, memory_mb, self.layout.cell(path.last).log)


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise exceptions.SandboxError(f"The files of the sandbox cannot be created or removed: {error}.") from error
