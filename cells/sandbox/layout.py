"""The files of a sandbox: one directory, with a directory for each cell.

::

    ~/.cells/sandbox/
        sandbox.json        tree, transport and links; a directory without this file is never changed
        sandbox.lock        locked during "cells sandbox up" and "cells sandbox down"
        east/cells.conf     for "cells-manager --config-file" and "cells --config-file"
        east/cells.sqlite
        east/manager.log
        east/ipc/           sockets, without a broker
        east/cell.crt       certificate of the cell, and cell.key, its key, with direct links
"""

from __future__ import annotations

import os
from pathlib import Path

from cells import exceptions
from cells.brokerless import ipc

ENVIRONMENT_VARIABLE = "CELLS_SANDBOX"
DEFAULT_DIRECTORY = "~/.cells/sandbox"
STATE_FILE = "sandbox.json"
LOCK_FILE = "sandbox.lock"
MAX_FILE_NAME_BYTES = 255
#: Maximum length of a slash and the name of a socket, in the directory of sockets.
SOCKET_NAME_BYTES = 20


def find_directory(named: str | None = None) -> Path:
    """Return the absolute path of ``named``; if it is None, of ``$CELLS_SANDBOX`` or of the default."""
    directory = named or os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_DIRECTORY
    return Path(os.path.realpath(os.path.expanduser(directory)))


class CellFiles:
    """Paths of the files of one cell."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.config = directory / "cells.conf"
        self.log = directory / "manager.log"
        self.database = directory / "cells.sqlite"
        self.sockets = directory / "ipc"
        # The defaults of [cells_direct] in a cell whose state_path is the directory.
        self.certificate = directory / "cell.crt"
        self.key = directory / "cell.key"


class Layout:
    """Paths of the files of a sandbox.  Does no I/O."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / STATE_FILE
        self.lock = directory / LOCK_FILE

    def cell(self, name: str) -> CellFiles:
        """Return the files of one cell, which may not exist."""
        return CellFiles(name, self.directory / name)

    def check(self, names: list[str]) -> None:
        """Check that the names of the directory and of the cells are possible.

        :raises cells.exceptions.SandboxError: a URL cannot contain the path of the directory, or the name of a cell
            is too long or reserved
        """
        text = str(self.directory)
        if "?" in text or not text.isprintable():
            raise exceptions.SandboxError(
                f"The path of the directory, {text!r}, has a '?' or a control character, "
                "which a file URL cannot contain: give another path with --directory."
            )
        for name in names:
            if len(os.fsencode(name)) > MAX_FILE_NAME_BYTES:
                raise exceptions.SandboxError(
                    f"The name of cell {name[:20]}... is longer than {MAX_FILE_NAME_BYTES} bytes, "
                    "the limit for the name of its directory: use a shorter name.",
                    cell=name,
                )
        for name in {STATE_FILE, LOCK_FILE}.intersection(names):
            raise exceptions.SandboxError(
                f"A cell of a sandbox cannot have the name {name}, which is a file of the sandbox: use another name.",
                cell=name,
            )

    def check_sockets(self, names: list[str]) -> None:
        """Check that the paths of the sockets are not too long.

        :raises cells.exceptions.SandboxError: a path is too long
        """
        longest = max((self.cell(name).sockets for name in names), key=lambda path: len(os.fsencode(path)))
        too_many = len(os.fsencode(longest)) + SOCKET_NAME_BYTES - ipc.MAX_PATH_BYTES
        if too_many > 0:
            raise exceptions.SandboxError(
                f"The socket directory of cell {longest.parent.name}, {longest}, is {too_many} bytes too long: "
                f"the path of a socket has at most {ipc.MAX_PATH_BYTES} bytes. Use a shorter --directory "
                f"(or {ENVIRONMENT_VARIABLE}), or shorter names of cells.",
                cell=longest.parent.name,
            )
