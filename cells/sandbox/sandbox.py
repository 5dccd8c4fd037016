"""A sandbox: set up, looked at, taken down.  ``cells sandbox`` calls it."""

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
from cells.sandbox import databases, formation, processes, starter, state, transports, tree
from cells.sandbox.layout import Layout, find_directory
from cells.sandbox.state import State
from cells.sandbox.tree import Tree

#: For the cells to find together, and for each cell on top of it.
FORMATION_SECONDS = 60.0
FORMATION_SECONDS_PER_CELL = 1.0

Tell = Callable[[str], None]


@dataclass(frozen=True)
class CellStatus:
    """One cell, as ``cells sandbox status`` shows it."""

    path: CellPath
    pid: int | None  #: None if no manager runs
    memory_mb: float | None
    log: Path


@dataclass(frozen=True)
class Up:
    """A sandbox that is up."""

    tree: Tree
    topology: dict[str, Any]  #: as the top sees it, see :meth:`cells.rpcapi.CellsAPI.topology`
    started: tuple[str, ...]  #: the cells whose managers were started now; none if it was up before


class Sandbox:
    """The sandbox in one directory, be it there or not.

    :param directory: where; without one, ``$CELLS_SANDBOX`` or the default
    """

    def __init__(self, directory: str | None = None) -> None:
        self.layout = Layout(find_directory(directory))

    @property
    def directory(self) -> Path:
        return self.layout.directory

    def up(self, wanted: Tree | None = None, transport: str | None = None, tell: Tell = lambda _: None) -> Up:
        """Set it up, or start what is not running of it; return when all cells know each other.

        Whoever interrupts it finds that what it began is taken back.

        :param wanted: None is the tree that it has, and the default if it has none
        :param transport: transport URL of a broker; None is the one that it has, and none at all if it has none
        :param tell: is called with what is about to take some time
        :raises cells.exceptions.SandboxError: a manager does not start, another sandbox is in the way, ...
        """
        transport = None if transport is None else transports.normalize(transport)
        state.check_is_ours(self.layout)
        with _translated_errors():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with state.locked(self.layout):
            found = state.read(self.layout)
            running = {manager.config.parent.name for manager in processes.find(self.directory)}
            if found is not None and running:
                self._check_is_same(found, wanted, transport)
                return self._start(found, [name for name in found.tree.names() if name not in running], tell)
            if running:
                tell(f"Managers whose files in {self.directory} are gone are ended.")
                self._end_managers()
            if found is not None:
                tell(f"What is left of a sandbox in {self.directory} is removed: none of its managers runs any more.")
                self._remove(found)
            try:
                return self._set_up(self._state(found, wanted, transport), tell)
            except BaseException:
                if processes.find(self.directory):
                    tell("It does not come up; what there is of it is taken down.")
                self._take_down(state.read(self.layout))
                raise

    def status(self) -> list[CellStatus] | None:
        """Every cell, parents before their children; None if there is no sandbox.

        :raises cells.exceptions.SandboxError: its state cannot be read
        """
        found = state.read(self.layout)
        if found is None:
            return None
        running = {manager.config.parent.name: manager.pid for manager in processes.find(self.directory)}
        return [self._cell_status(path, running.get(path.last)) for path, _ in found.tree.walk()]

    def down(self) -> bool:
        """End all managers and remove all files; return whether there was anything.

        :raises cells.exceptions.SandboxError: something could not be removed, or the directory is not ours
        """
        try:
            state.check_is_ours(self.layout)
        except exceptions.SandboxError as error:
            if not self._end_managers():
                raise
            raise exceptions.SandboxError(
                f"{error.message} The managers that ran on files there are ended; remove what you do not need yourself."
            ) from error
        if not self.directory.exists():
            return self._end_managers()
        with state.locked(self.layout):
            found = state.read(self.layout)
            had_managers = self._take_down(found)
            return had_managers or found is not None

    # What is done under the lock

    def _check_is_same(self, found: State, wanted: Tree | None, transport: str | None) -> None:
        what = None
        if wanted not in (None, found.tree):
            what = f"the tree {found.tree}"
        elif transport not in (None, found.transport):
            what = "another transport"
        if what:
            raise exceptions.SandboxError(
                f"There is a sandbox in {self.directory} already, with {what}: take it down with "
                "'cells sandbox down', or name another directory with --directory."
            )

    def _state(self, found: State | None, wanted: Tree | None, transport: str | None) -> State:
        """What shall be set up, in place of what was ``found``."""
        shape = wanted or (found.tree if found else tree.parse(tree.DEFAULT_TREE))
        url = transport or (found.transport if found else transports.BROKERLESS)
        names = shape.names()
        self.layout.check(names)
        return State(shape, url, transports.names_of_virtual_hosts(url, names))

    def _set_up(self, fresh: State, tell: Tell) -> Up:
        transport = transports.transport_of(self.layout, fresh)
        names = fresh.tree.names()
        with _translated_errors():
            state.write(self.layout, fresh)
            try:
                transport.create()
            except exceptions.SandboxError:
                # There is nothing then that would have to be removed.
                state.write(self.layout, dataclasses.replace(fresh, virtual_hosts={}))
                raise
            databases.create(self.layout, fresh.tree, transport)
        return self._start(fresh, names, tell)

    def _start(self, found: State, names: list[str], tell: Tell) -> Up:
        """Start the managers of some of the cells; end those again if that fails."""
        try:
            if names:
                tell(f"Starting {len(names)} cells-manager in {self.directory}.")
                with _translated_errors():
                    starter.start([self.layout.cell(name) for name in names])
            conf = cells_conf.load([self.layout.cell(found.tree.name).config])
            patience = FORMATION_SECONDS + FORMATION_SECONDS_PER_CELL * len(found.tree.names())
            return Up(found.tree, formation.wait(conf, found.tree, patience), tuple(names))
        except BaseException:
            managers = processes.find(self.directory)
            processes.end([manager for manager in managers if manager.config.parent.name in names])
            raise

    def _take_down(self, found: State | None) -> bool:
        """End what runs and remove what is there; return whether anything ran."""
        had_managers = self._end_managers()
        if found is not None:
            self._remove(found)
        self._remove_directory()
        return had_managers

    def _end_managers(self) -> bool:
        had_managers = False
        # Again: one may have been about to become a manager, if what started it was interrupted.
        for _ in range(2):
            managers = processes.find(self.directory)
            processes.end(managers)
            had_managers = had_managers or bool(managers)
        return had_managers

    def _remove(self, found: State) -> None:
        """Remove what was made for the cells, at last the state, without which nothing could be removed."""
        try:
            transports.transport_of(self.layout, found).delete()
        except exceptions.SandboxError as error:
            raise exceptions.SandboxError(
                f"No manager of the sandbox runs any more, but these virtual hosts of its broker are left: "
                f"{', '.join(found.virtual_hosts.values())}. {error.message} Then try 'cells sandbox down' again, "
                f"or remove them and {self.directory} by hand."
            ) from error
        with _translated_errors():
            for name in found.tree.names():
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(self.layout.cell(name).directory)
            self.layout.state.unlink(missing_ok=True)

    def _remove_directory(self) -> None:
        """Remove it, unless there are files of others."""
        self.layout.lock.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    def _cell_status(self, path: CellPath, pid: int | None) -> CellStatus:
        memory_mb = None if pid is None else processes.memory_mb(pid)
        return CellStatus(path, pid, memory_mb, self.layout.cell(path.last).log)


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise exceptions.SandboxError(f"The files of the sandbox cannot be made or removed: {error}.") from error
