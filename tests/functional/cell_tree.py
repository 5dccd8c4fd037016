"""CellTree: a whole tree of cells in this process, for the functional tests and the example.

Each cell has a manager (or several), an SQLite database with the real schema, and
neighbours registered in it both ways.  Messages are real JSON at every hop; only
the broker is replaced, by the driver ``memory``.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

from cells import conf as cells_conf
from cells.db import migration
from cells.db.api import Database
from cells.db.rows import COLUMNS, NeighborRow
from cells.endpoints import Call, Endpoints, endpoint
from cells.messages import Response
from cells.path import CellPath
from cells.service import CellsService
from tools.polling import poll

#: name of a cell -> the cells below it
Shape = Mapping[str, Any]
#: section -> option -> value
Options = Mapping[str, Mapping[str, object]]

#: Longer than anything takes that a test waits for.
PATIENCE_SECONDS = 10.0
CONTEXT = {"user_id": "ada"}


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Poll quickly: within one process everything happens within milliseconds."""
    return poll(condition, what, timeout_seconds=PATIENCE_SECONDS, pause_seconds=0.002)


class TreeCell:
    """One cell of a tree: its managers, its database, and what a service of it may ask."""

    def __init__(self, path: CellPath, transport_url: str, database: Database, managers: Sequence[CellsService]):
        self.path = path
        self.transport_url = transport_url
        self.database = database
        self.managers = list(managers)

    @property
    def service(self) -> CellsService:
        """The first manager."""
        return self.managers[0]

    def start_call(
        self, target: str, method: str = "where", *, manager: int = 0, **options: Any
    ) -> futures.Future[Any]:
        """Call a method elsewhere; what it gives or raises comes in the future.

        :param options: ``kwargs``, ``ctxt`` and ``timeout``
        """
        kwargs, ctxt = options.get("kwargs", {}), options.get("ctxt", CONTEXT)
        return self.managers[manager].manager.call(ctxt, target, method, kwargs, options.get("timeout"))

    def call(self, target: str, method: str = "where", **options: Any) -> Any:
        """The same, waiting for the answer."""
        return self.start_call(target, method, **options).result(PATIENCE_SECONDS)

    def cast(self, target: str, method: str, **kwargs: Any) -> None:
        self.service.manager.cast(CONTEXT, target, method, kwargs)

    def broadcast(self, method: str = "where", direction: str = "down", **options: Any) -> dict[str, Response]:
        """What each cell answered, by the way that leads from here to it.

        :param options: ``kwargs``, ``timeout`` and ``run_locally``
        """
        kwargs = options.pop("kwargs", {})
        texts = self.service.manager.broadcast_call(CONTEXT, method, kwargs, direction, **options).result(
            PATIENCE_SECONDS
        )
        responses = [Response.from_json(text, ["cells.exceptions"]) for text in texts]
        answers = {response.cell: response for response in responses}
        assert len(answers) == len(responses), f"A cell answered twice: {[response.cell for response in responses]}"
        return answers

    def broadcast_cast(self, method: str, direction: str = "down", *, run_locally: bool = True, **kwargs: Any) -> None:
        self.service.manager.broadcast_cast(CONTEXT, method, kwargs, direction, run_locally)

    def neighbors(self) -> dict[str, dict[str, Any]]:
        return {neighbor["name"]: neighbor for neighbor in self.service.manager.neighbors(CONTEXT)}

    def counters(self) -> dict[str, int]:
        """What all its managers have counted."""
        totals: dict[str, int] = {}
        for manager in self.managers:
            for name, count in manager.counters.as_dict().items():
                totals[name] = totals.get(name, 0) + count
        return totals

    def start(self) -> None:
        for manager in self.managers:
            manager.start()

    def stop(self) -> None:
        """Stop its managers: it is dead.  May be called twice."""
        for manager in self.managers:
            manager.stop()
        self.database.close()


class CellTree:
    """Starts a tree when it is entered, stops it when it is left.

    ``tree["az1"]`` and ``tree["api!east!az1"]`` are the same TreeCell.  In every cell
    there is the endpoint ``where``, which answers the cell's path, or nothing as long
    as the cell is frozen.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        endpoints: Sequence[Callable[..., Any]] = (),
        options: Options | None = None,
        cell_options: Mapping[str, Options] | None = None,
        managers: Mapping[str, int] | None = None,
    ) -> None:
        """:param endpoints: further endpoints in every cell
        :param options: of every cell, ``{"cells": {"call_timeout": 1}}``
        :param cell_options: of one cell, by its name or path; they come before ``options``
        :param managers: how many a cell has, by its name or path, if not one
        """
        self.shape = shape
        self._bus = f"memory://{secrets.token_hex(8)}"
        self._directory = tempfile.TemporaryDirectory(prefix="cells-tree-")
        self._frozen: set[str] = set()
        self._thawed = threading.Event()
        self._functions = [self._where(), *endpoints]
        self._options = options or {}
        self._cell_options = cell_options or {}
        self._manager_counts = managers or {}
        self.cells = {path: self._build(path) for path in _walk(shape)}
        for path in self.cells:
            self._register_neighbors(path)

    def __enter__(self) -> CellTree:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __getitem__(self, name: str) -> TreeCell:
        return self.cells[self._path(name)]

    def start(self) -> None:
        """Start all; return when each cell knows its place and who is below it."""
        for cell in self.cells.values():
            cell.start()
        self.wait_until_known()

    def wait_until_known(self) -> None:
        """Wait until all managers of all cells know the tree as it is drawn."""
        for path, cell in self.cells.items():
            below: Shape = self.shape
            for name in path:
                below = below[name]
            for manager in cell.managers:
                seen = manager.topology
                wait_for(lambda: seen.own_path == path and seen.subtree() == below, f"{path} knows its place")  # noqa: B023

    def stop(self) -> None:
        """Stop all.  May be called twice."""
        self.thaw()
        for cell in reversed(self.cells.values()):
            cell.stop()
        self._directory.cleanup()

    def freeze(self, name: str) -> None:
        """From now on a cell takes messages, passes them on, and does not answer ``where``."""
        self._frozen.add(str(self._path(name)))

    def thaw(self) -> None:
        """Let frozen cells answer what they were asked."""
        self._frozen.clear()
        self._thawed.set()

    def database_file(self, name: str) -> Path:
        return self._file(self._path(name), "sqlite")

    def _where(self) -> Callable[..., Any]:
        @endpoint
        def where(call: Call) -> str:
            path = str(call.cell.describe()["path"])
            if path in self._frozen:
                assert self._thawed.wait(60), "The tree was never stopped"
            return path

        return where

    def _path(self, name: str) -> CellPath:
        path, *others = [path for path in self.cells if name in (path.last, str(path))]
        assert not others, f"{name} is {path} and {others}"
        return path

    def _build(self, path: CellPath) -> TreeCell:
        self._file(path, "sqlite").write_bytes(_empty_database())
        managers = []
        for number in range(1, self._of(path, self._manager_counts, 1) + 1):
            endpoints = Endpoints.load()
            for function in self._functions:
                endpoints.add(function)
            conf = cells_conf.load([self._write_config(path, number)])
            managers.append(CellsService(conf, endpoints, serves_local_cell=False))
        return TreeCell(path, self._url(path), Database(conf), managers)

    def _write_config(self, path: CellPath, number: int) -> Path:
        sections: dict[str, dict[str, object]] = {
            "DEFAULT": {
                "host": f"{path.last}-{number}",
                "transport_url": self._url(path),
                "graceful_shutdown_timeout": 2,
            },
            "cells": {"name": path.last, "driver": "memory"},
            "database": {"connection": f"sqlite:///{self._file(path, 'sqlite')}"},
        }
        own: Options = self._of(path, self._cell_options, {})
        for section, values in (*self._options.items(), *own.items()):
            sections.setdefault(section, {}).update(values)
        lines = []
        for section, options in sections.items():
            lines += [f"[{section}]", *(f"{name} = {value}" for name, value in options.items())]
        config_file = self._file(path, f"{number}.conf")
        config_file.write_text("\n".join(lines))
        return config_file

    def _register_neighbors(self, path: CellPath) -> None:
        """Write the rows as they are in a database that "cells neighbor create" has written to.

        Not with Database, whose engine would take longer for its first row than the rest of the cell to start.
        """
        rows = []
        for other in self.cells.values():
            is_parent, is_child = other.path == path[:-1] if len(path) > 1 else False, _is_child(path, other.path)
            if is_parent or is_child:
                row = NeighborRow(other.path.last, other.transport_url, is_parent=is_parent, driver="memory")
                rows.append([*row.as_dict().values(), 0])
        insert = f"INSERT INTO cells ({', '.join(COLUMNS)}, deleted) VALUES ({', '.join('?' * len(COLUMNS))}, ?)"
        with contextlib.closing(sqlite3.connect(self._file(path, "sqlite"))) as connection, connection:
            connection.executemany(insert, rows)

    def _of(self, path: CellPath, values: Mapping[str, Any], default: Any) -> Any:
        return values.get(str(path), values.get(path.last, default))

    def _url(self, path: CellPath) -> str:
        return f"{self._bus}/{'.'.join(path)}"

    def _file(self, path: CellPath, suffix: str) -> Path:
        return Path(self._directory.name) / f"{'.'.join(path)}.{suffix}"


def _is_child(path: CellPath, other: CellPath) -> bool:
    return len(other) == len(path) + 1 and path.is_prefix_of(other)


def _walk(shape: Shape, above: Sequence[str] = ()) -> Iterator[CellPath]:
    """The paths of all cells, parents first."""
    for name, below in shape.items():
        path = CellPath([*above, name])
        yield path
        yield from _walk(below, path)


@functools.cache
def _empty_database() -> bytes:
    """A database file with the tables as the migrations make them, made once."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "cells.sqlite"
        config_file = Path(directory) / "cells.conf"
        config_file.write_text(f"[database]\nconnection = sqlite:///{file}\n")
        migration.sync(cells_conf.load([config_file]))
        return file.read_bytes()
