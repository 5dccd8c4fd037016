"""Files of a tree: a configuration for each manager and a database for each cell, in one directory."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib import parse as urllib_parse

from cells import conf as cells_conf
from cells.brokerless import ipc
from cells.db import migration
from cells.neighbors.neighbor import COLUMNS, Neighbor
from cells.path import CellPath

#: section -> option -> value; a list is written as its items with commas between them
Options = Mapping[str, Mapping[str, object]]

#: Managers that know each other send no periodic message while a test runs.
_NEVER_SECONDS = 86400
#: The longest path of a socket below the temporary directory: directory of the tree, directory of the cell, name.
_SOCKET_BYTES = len("/cells-12345678/9999/123456789abc.sock")


class CellFiles:
    """Directory of the files of one tree."""

    def __init__(self, paths: Sequence[CellPath]) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="cells-", dir=_short_directory())
        #: for the names of files: the path of a cell may be too long, or have characters that are not allowed there
        self._numbers = {path: number for number, path in enumerate(paths, 1)}

    @property
    def directory(self) -> Path:
        """The directory, which :meth:`remove` removes."""
        return Path(self._directory.name)

    def transport_url(self, path: CellPath) -> str:
        """Return the transport URL of a cell's services, under which the neighbors find the cell, too."""
        return f"zmq+ipc://{urllib_parse.quote(self._directory.name)}/{self._numbers[path]}"

    def database(self, path: CellPath) -> Path:
        """Return the path of the SQLite database of a cell."""
        return self._file(path, ".sqlite")

    def write_database(self, path: CellPath, neighbors: Iterable[Neighbor]) -> None:
        """Write the database of a cell as "cells db sync" and "cells neighbor create" would.

        The engine of :class:`cells.db.api.Database` would need more time for its first row than the rest of the start.
        """
        self.database(path).write_bytes(_empty_database())
        rows = [[*row.as_dict().values(), 0] for row in neighbors]
        insert = f"INSERT INTO cells ({', '.join(COLUMNS)}, deleted) VALUES ({', '.join('?' * len(COLUMNS))}, ?)"  # noqa: S608  # our own names
        with contextlib.closing(sqlite3.connect(self.database(path))) as connection, connection:
            # A commit that waits for the disk takes longer than the whole start of the cell.
            connection.execute("PRAGMA synchronous = OFF")
            connection.executemany(insert, rows)

    def write_config(self, path: CellPath, number: int, *options: Options) -> Path:
        """Write the configuration of one manager.

        :param number: of the manager within its cell
        :param options: later options override earlier options
        """
        sections: dict[str, dict[str, object]] = {
            "DEFAULT": {
                "host": f"{path.last}-{number}",
                "state_path": self._directory.name,
                "transport_url": self.transport_url(path),
                "graceful_shutdown_timeout": 2,
            },
            "cells": {
                "name": path.last,
                "driver": "memory",
                "allowed_services": "*/*",
                "announce_interval": _NEVER_SECONDS,
                "probe_interval": _NEVER_SECONDS,
                "mute_child_interval": 2 * _NEVER_SECONDS,
            },
            # A commit that waits for the disk takes longer than the whole start of the cell.
            "database": {"connection": f"sqlite:///{self.database(path)}", "sqlite_synchronous": False},
        }
        for layer in options:
            for section, values in layer.items():
                sections.setdefault(section, {}).update(values)
        lines = []
        for section, section_options in sections.items():
            lines += [f"[{section}]", *(f"{name} = {_text(value)}" for name, value in section_options.items())]
        config_file = self._file(path, f"-{number}.conf")
        config_file.write_text("\n".join(lines), encoding="utf-8")
        return config_file

    def remove(self) -> None:
        """Remove all files.  May be called twice."""
        self._directory.cleanup()

    def _file(self, path: CellPath, suffix: str) -> Path:
        return Path(self._directory.name) / f"{self._numbers[path]}{suffix}"


def _short_directory() -> str:
    """Return a directory for temporary files with a path that is short enough for a socket in it."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) + _SOCKET_BYTES <= ipc.MAX_PATH_BYTES else "/tmp"  # noqa: S108  # ours are private


def _text(value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(map(str, value))
    return str(value)


@functools.cache
def _empty_database() -> bytes:
    """Return the contents of a database file after all migrations; the migrations run once."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "cells.sqlite"
        config_file = Path(directory) / "cells.conf"
        config_file.write_text(f"[database]\nconnection = sqlite:///{file}\n", encoding="utf-8")
        migration.sync(cells_conf.load([config_file]))
        return file.read_bytes()
