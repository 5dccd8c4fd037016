"""Where a sandbox keeps what: one directory, in it one for each cell.

::

    ~/.cells/sandbox/
        sandbox.json        what this sandbox is; a directory without it is not ours
        sandbox.lock        held while one is set up or taken down
        east/cells.conf     for "cells-manager --config-file" and "cells --config-file"
        east/cells.sqlite
        east/manager.log
        east/ipc/           sockets, if no broker is used
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cells import exceptions
from cells.brokerless import ipc

ENVIRONMENT_VARIABLE = "CELLS_SANDBOX"
DEFAULT_DIRECTORY = "~/.cells/sandbox"
STATE_FILE = "sandbox.json"
LOCK_FILE = "sandbox.lock"
MAX_FILE_NAME_BYTES = 255
#: The name of a socket in the directory of sockets and the slash before it have room in as many.
SOCKET_NAME_BYTES = 20


def find_directory(named: str | None = None) -> Path:
    """The directory that was named; without one, that of ``$CELLS_SANDBOX``, or the default."""
    directory = named or os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_DIRECTORY
    return Path(os.path.realpath(os.path.expanduser(directory)))


@dataclass(frozen=True)
class CellFiles:
    """The files of one cell."""

    name: str
    directory: Path

    @property
    def config(self) -> Path:
        return self.directory / "cells.conf"

    @property
    def log(self) -> Path:
        return self.directory / "manager.log"

    @property
    def database(self) -> Path:
        return self.directory / "cells.sqlite"

    @property
    def sockets(self) -> Path:
        return self.directory / "ipc"


@dataclass(frozen=True)
class Layout:
    """The files of a sandbox.  Does no I/O."""

    directory: Path

    @property
    def state(self) -> Path:
        return self.directory / STATE_FILE

    @property
    def lock(self) -> Path:
        return self.directory / LOCK_FILE

    def cell(self, name: str) -> CellFiles:
        """Of one cell, which need not be there."""
        return CellFiles(name, self.directory / name)

    def check(self, names: list[str]) -> None:
        """See that all files can have the names that they would get.

        :raises cells.exceptions.SandboxError: the directory's name cannot be written into a URL, or a cell's is taken
        """
        text = str(self.directory)
        if "?" in text or not text.isprintable():
            raise exceptions.SandboxError(
                f"The directory {text!r} has a '?' or a control character in its name, "
                "which URLs of files cannot hold: use another one with --directory."
            )
        for name in names:
            if len(os.fsencode(name)) > MAX_FILE_NAME_BYTES:
                raise exceptions.SandboxError(
                    f"The name of cell {name[:20]}... is longer than the {MAX_FILE_NAME_BYTES} bytes "
                    "that the name of its directory may have.",
                    cell=name,
                )
        for name in {STATE_FILE, LOCK_FILE}.intersection(names):
            raise exceptions.SandboxError(f"A cell of a sandbox cannot be called {name}.", cell=name)

    def check_sockets(self, names: list[str]) -> None:
        """See that there is room for the paths of sockets.

        :raises cells.exceptions.SandboxError: there is not
        """
        longest = max((self.cell(name).sockets for name in names), key=lambda path: len(os.fsencode(path)))
        too_many = len(os.fsencode(longest)) + SOCKET_NAME_BYTES - ipc.MAX_PATH_BYTES
        if too_many > 0:
            raise exceptions.SandboxError(
                f"The path of the sockets of cell {longest.parent.name}, {longest}, is {too_many} bytes too long, "
                f"a path of a socket has {ipc.MAX_PATH_BYTES} in all: use a shorter --directory "
                f"(or {ENVIRONMENT_VARIABLE}), or shorter names of cells.",
                cell=longest.parent.name,
            )
