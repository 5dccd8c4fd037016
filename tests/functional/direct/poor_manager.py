"""A manager of the cell api in a process of its own that may open few files; it obeys the lines of its stdin.

Arguments: a directory for its certificate, the file with the certificate of its neighbor east, and the number of files.
Each line of stdout is a JSON object; the first one has the address and the certificate of the manager.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import IO

from cells.certificates.certificate import read_file
from cells.drivers.direct.node import Peer
from tests.functional.direct.nodes import Manager
from tests.unit.drivers.direct.identities import Cell


def main(directory: str, neighbor: str, limit: str) -> None:
    """Run until the end of stdin."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(limit), int(limit)))
    manager = Manager(Cell(Path(directory), "api"))
    manager.node.configure([Peer("east", read_file(Path(neighbor)))])
    _say(address=manager.address, certificate=str(manager.cell.certificate_file))
    opened: list[IO[bytes]] = []
    for line in sys.stdin:
        if line.strip() == "open":
            _open_all(opened)
        elif line.strip() == "close":
            for file in opened:
                file.close()
            opened.clear()
        _say(opened=len(opened), refused=manager.counts("direct_refused"))
    manager.node.stop(1.0)


def _open_all(opened: list[IO[bytes]]) -> None:
    """Open files until the process may open no more."""
    try:
        while True:
            opened.append(Path("/dev/null").open("rb"))  # noqa: SIM115  # open until the next command
    except OSError:
        return


def _say(**values: object) -> None:
    print(json.dumps(values), flush=True)  # noqa: T201  # for the test


if __name__ == "__main__":
    main(*sys.argv[1:])
