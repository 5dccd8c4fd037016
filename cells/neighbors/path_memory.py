"""The last known path of each parent, kept over a restart of the manager.

A cell learns its path from its parents.  Until they answer, a manager that has just started could not find the way to
a full path, although its place has hardly ever changed.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib import parse

from cells import exceptions, private_files
from cells.neighbors.table import NeighborTable
from cells.neighbors.topology import Topology
from cells.ownership import check_is_ours
from cells.worker_threads import Spawn, Thread

LOG = logging.getLogger(__name__)


class PathStore(Protocol):
    """Persistent store of the paths.  Both methods may block for a few seconds."""

    def known_paths(self) -> dict[str, str]:
        """Return name of a parent -> its path from the root.

        :raises cells.exceptions.CellsError: the store cannot be read now
        """

    def store_known_paths(self, paths: Mapping[str, str]) -> None:
        """Replace the paths.

        :raises cells.exceptions.CellsError: the store cannot be written now
        """


class PathFile:
    """JSON file in the state directory, for a cell that has no database of neighbors."""

    def __init__(self, state_path: str, cell_name: str) -> None:
        # A name of a cell may contain the separator of directories.
        self._path = Path(state_path) / f"known-paths-{parse.quote(cell_name, safe='')}.json"

    def known_paths(self) -> dict[str, str]:
        """Return the paths; none if the file cannot be read, which must not keep a manager from its start."""
        try:
            check_is_ours(self._path)
            data = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            LOG.info("The last known paths cannot be read from %s: %s", self._path, error)
            return {}
        found = data.items() if isinstance(data, dict) else ()
        return {name: path for name, path in found if isinstance(path, str)}

    def store_known_paths(self, paths: Mapping[str, str]) -> None:
        """Replace the file, whole or not at all.

        :raises cells.exceptions.ConfigurationError: the file cannot be written
        """
        try:
            private_files.write(self._path, json.dumps(dict(paths)), mode=0o600)
        except OSError as error:
            raise exceptions.ConfigurationError(f"{self._path} cannot be written: {error}") from error


@dataclass(kw_only=True, eq=False, repr=False)
class PathMemory:
    """Recalls the paths at start, and stores each change.  Thread-safe."""

    store: PathStore
    table: NeighborTable
    topology: Topology
    spawn: Spawn

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: Mapping[str, str] = {}
        self._is_storing = False
        self._is_stopped = False
        self._thread: Thread | None = None

    def recall(self) -> None:
        """Read the paths into the table.  Blocks, and never raises: without them, the parents have to answer first."""
        try:
            paths = self.store.known_paths()
        except exceptions.CellsError as error:
            LOG.warning("The last known path of this cell cannot be read; its parents are asked: %s", error.message)
            return
        self._stored = paths
        self.table.recall_paths(paths)

    def keep(self) -> None:
        """Store the paths that are known now, if they have changed.  Does not block: a thread does the work."""
        with self._lock:
            if self._is_stopped or self._is_storing or not self._changed():
                return
            try:
                self._thread = self.spawn(self._store, "cells-known-paths")
            except RuntimeError as error:
                LOG.debug("The known paths cannot be stored: %s", error)
                return
            self._is_storing = True

    def stop(self, timeout_seconds: float) -> None:
        """Start to store no more; wait until the last change is stored.  May be called twice."""
        with self._lock:
            self._is_stopped, thread = True, self._thread
        if thread is not None:
            thread.join(timeout_seconds)

    def _changed(self) -> dict[str, str]:
        """Return the paths to store; empty if they are stored already.

        No path is known of a parent that was registered a short while ago: then the last known ones stay.
        """
        paths = self.topology.paths_of_parents()
        return paths if paths != self._stored else {}

    def _store(self) -> None:
        """Store until there is nothing new; after an error, until the next call of :meth:`keep`."""
        while True:
            with self._lock:
                paths = self._changed()
                if not paths:
                    self._is_storing = False
                    return
            try:
                self.store.store_known_paths(paths)
            except exceptions.CellsError as error:
                LOG.debug("The known paths cannot be stored: %s", error.message)
                self._is_storing = False
                return
            self._stored = paths
