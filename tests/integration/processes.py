"""Trees of real managers, one process and one transport per cell.

A test describes its tree with one literal, ``{"api": {"east": {"az1": {}}}}``, and gets it
when every cell in it knows its own path and the top knows every cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from cells import conf as cells_conf
from cells.db import migration
from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from tests.integration.transports import CellTransport
from tools.direct_links import DirectLinks, Links
from tools.manager_process import ManagerProcess
from tools.polling import poll

Shape = Mapping[str, "Shape"]
WORKERS = 4

Options = Mapping[str, Mapping[str, object]]

#: Short intervals and timeouts, so that the tests are quick.
OPTIONS: Options = {
    "cells": {
        "announce_interval": 1,
        "probe_interval": 1,
        "db_check_interval": 2,
        "call_timeout": 10,
        "send_timeout": 3,
    }
}


class Tree:
    """Tree of running cells, by name: ``tree["az1"].cells("ping", "api")``.

    :param shape: the cells; each name only once
    :param take: returns an unused transport, or only its URL, for a cell
    :param urls: transports, or their URLs, of cells that do not use ``take``
    :param connections: database URLs of the cells without SQLite
    :param options: of all cells; ``cell_options`` override them for single cells
    :param env: added to the environment of all managers
    :param links: driver of all links
    :param addresses: number of addresses of the managers of a cell with direct links, by default 1; the tree has
        one manager of each cell, and a test may start further ones
    :param listen: cell -> address at which its manager listens for direct links, if not one of 127.0.0.1
    :param prefixes: cell -> command that starts the process of its manager
    """

    def __init__(
        self,
        directory: Path,
        shape: Shape,
        take: Callable[[], CellTransport | str],
        *,
        urls: Mapping[str, CellTransport | str] | None = None,
        connections: Mapping[str, str] | None = None,
        options: Options | None = None,
        cell_options: Mapping[str, Options] | None = None,
        env: Mapping[str, str] | None = None,
        links: Links = "rpc",
        addresses: Mapping[str, int] | None = None,
        listen: Mapping[str, str] | None = None,
        prefixes: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.paths = {path.rpartition("!")[2]: path for path in _paths(shape)}
        self.top = next(iter(shape))
        self.env = env
        self.transports = {name: _transport((urls or {}).get(name) or take()) for name in self.paths}
        self.direct: DirectLinks | None = None
        if links == "direct":
            self.direct = DirectLinks(directory / "direct", self.paths.values(), addresses or {})
        self._listen = listen or {}
        self._directory = directory
        self._options = merged(OPTIONS, options or {})
        self._managers = {
            name: make_manager(
                directory,
                name,
                transport,
                connection=(connections or {}).get(name),
                prefix=(prefixes or {}).get(name, ()),
                options=merged(
                    OPTIONS,
                    self.direct.options(name) if self.direct else {},
                    {"cells_direct": {"listen": self._listen[name]}} if name in self._listen else {},
                    options or {},
                    (cell_options or {}).get(name, {}),
                ),
            )
            for name, transport in self.transports.items()
        }

    def __getitem__(self, name: str) -> ManagerProcess:
        return self._managers[name]

    def __iter__(self) -> Iterator[ManagerProcess]:
        return iter(self._managers.values())

    def make_second(self, name: str) -> ManagerProcess:
        """Return a second manager of a cell, not yet started.  A cell with direct links needs two ``addresses``."""
        direct = self.direct.options(name, 2) if self.direct else {}
        return make_manager(
            self._directory,
            name,
            self.transports[name],
            host=f"{name}-2",
            connection=self[name].connection,
            options=merged(self._options, direct),
        )

    def start(self) -> Tree:
        """Create the databases, register the neighbors, start the managers and wait until they know each other."""
        self.prepare()
        for manager in self:
            manager.start(self.env)
        for manager in self:
            manager.wait_ready()
        self.wait_formed()
        return self

    def prepare(self) -> None:
        """Create the databases and register the neighbors."""
        # In this process, because a command for each table and row would take longer than the rest of the start.
        for name, path in self.paths.items():
            self._prepare_database(name, path)

    def _prepare_database(self, name: str, path: str) -> None:
        """Do the work of "cells db sync" and "cells neighbor create"."""
        conf = cells_conf.load([self[name].config_file])
        migration.sync(conf)
        database = Database(conf)
        for other, other_path in self.paths.items():
            is_parent = other_path == path.rpartition("!")[0]
            if is_parent or other_path.rpartition("!")[0] == path:
                database.create(self._row(other, is_parent=is_parent))
        database.close()

    def _row(self, name: str, *, is_parent: bool) -> Neighbor:
        if self.direct is not None:
            row = self.direct.row(name, is_parent=is_parent)
            return replace(row, addresses=self._listen[name]) if is_parent and name in self._listen else row
        return Neighbor(name, self[name].neighbor_url, is_parent=is_parent)

    def wait_formed(self, timeout_seconds: float = 120.0) -> None:
        """Wait until every cell knows its path, and the top knows every cell and has heard from it."""
        with ThreadPoolExecutor(WORKERS) as pool:
            waits = [pool.submit(self._wait_for_path, name, timeout_seconds) for name in self.paths]
            for wait in waits:
                wait.result()
        poll(
            lambda: self.seen_from_top() == dict.fromkeys(self.paths.values(), "up"),
            f"{self.top} sees every cell of {sorted(self.paths.values())}",
            timeout_seconds,
        )

    def seen_from_top(self) -> dict[str, str]:
        """Return path and state of every cell that the top knows."""
        # Do not wait long for an answer that was lost during the start of the cells.
        answer = self[self.top].cells("topology", "-f", "json", "--timeout", "3")
        return dict(_flatten(answer.json())) if answer.returncode in (0, 1) else {}

    def _wait_for_path(self, name: str, timeout_seconds: float) -> None:
        def path() -> Any:
            answer = self[name].cells("status", "-f", "json")
            return answer.returncode == 0 and answer.json()["path"] == self.paths[name]

        poll(path, f"{name} knows that it is {self.paths[name]}", timeout_seconds)

    def stop(self) -> None:
        """Kill all processes at once; other tests cover an orderly stop."""
        for manager in self:
            manager.kill()
        if self.direct is not None:
            self.direct.close()


def make_manager(
    directory: Path, name: str, transport: CellTransport, *, options: Options | None = None, **arguments: Any
) -> ManagerProcess:
    """Return a manager of a cell with this transport; has the arguments of ManagerProcess."""
    return ManagerProcess(
        directory,
        name,
        transport.url,
        neighbor_url=transport.neighbor_url,
        options=merged(transport.options, options or {}),
        **arguments,
    )


def _transport(taken: CellTransport | str) -> CellTransport:
    return CellTransport(taken, taken, {}) if isinstance(taken, str) else taken


def merged(*layers: Options) -> dict[str, dict[str, object]]:
    """Merge the options of all layers; later layers take precedence."""
    result: dict[str, dict[str, object]] = {}
    for layer in layers:
        for section, values in layer.items():
            result.setdefault(section, {}).update(values)
    return result


def _paths(shape: Shape, above: str = "") -> Iterator[str]:
    for name, below in shape.items():
        yield above + name
        yield from _paths(below, f"{above}{name}!")


def _flatten(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield node["path"], "up" if node["is_self"] else node["state"]
    for child in node["children"]:
        yield from _flatten(child)
