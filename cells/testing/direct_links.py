"""Direct links of a tree: a certificate for each cell, and an address for each manager.

Children dial the managers of their parents.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from cells.certificates import issuing
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from cells.testing.files import Options
from cells.transport import socket_address
from cells.transport.reserved_port import reserve

#: A link that is lost is noticed after three of them.
HEARTBEAT_SECONDS = 0.5
_DAYS = 2


class DirectLinks:
    """Rows and options of the cells of one tree."""

    def __init__(
        self, directory: Path, managers: Mapping[CellPath, int], *, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        """Write the certificates.

        :param directory: of the files
        :param managers: the number of managers of each cell
        :param heartbeat_seconds: interval of heartbeats on each connection
        """
        self._directory = directory
        self._heartbeat_seconds = heartbeat_seconds
        self._pem: dict[CellPath, str] = {}
        self._reserved: dict[CellPath, list[socket.socket]] = {}
        for number, (path, count) in enumerate(managers.items(), 1):
            certificate, key = self._files(number)
            made = _key(str(path))
            pem = issuing.self_signed(path, made, now=datetime.now(timezone.utc), days=_DAYS)
            issuing.write({certificate: pem, key: made})
            self._pem[path] = pem
            self._reserved[path] = [reserve() for _ in range(count)]
        self._numbers = {path: number for number, path in enumerate(managers, 1)}

    def options(self, path: CellPath, number: int) -> Options:
        """Return the options of one manager.

        :param number: of the manager within its cell, from 1
        """
        certificate, key = self._files(self._numbers[path])
        return {
            "cells_direct": {
                "listen": _address(self._reserved[path][number - 1]),
                "certificate": certificate,
                "key": key,
                "heartbeat": self._heartbeat_seconds,
            }
        }

    def neighbor(self, end: CellPath, *, is_parent: bool) -> Neighbor:
        """Return the row of a cell in its neighbor."""
        addresses = ",".join(map(_address, self._reserved[end])) if is_parent else None
        return Neighbor(
            end.last, "", is_parent=is_parent, driver="direct", addresses=addresses, certificates=self._pem[end]
        )

    def close(self) -> None:
        """Give the reserved ports back.  May be called twice."""
        for sockets in self._reserved.values():
            for reserved in sockets:
                reserved.close()

    def _files(self, number: int) -> tuple[Path, Path]:
        return self._directory / f"{number}.crt", self._directory / f"{number}.key"


@functools.cache
def _key(_cell: str) -> issuing.PrivateKey:
    """Return a key, the same for all trees of a process: tests start many."""
    return issuing.new_key()


def _address(reserved: socket.socket) -> str:
    return socket_address.show(reserved.getsockname())
