"""Cells with certificates, and connections between two of them in memory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cells.certificates import issuing
from cells.certificates.certificate import Certificate
from cells.drivers.direct.tls import Channel
from cells.drivers.direct.trust import Trust
from cells.path import CellPath
from tests.unit.certificates.made import NOW, read


class Cell:
    """A cell with a key and a certificate in files, self-signed unless ``signed_by`` is given."""

    def __init__(
        self,
        directory: Path,
        path: str,
        *,
        now: datetime = NOW,
        signed_by: issuing.Authority | None = None,
    ) -> None:
        self.path = CellPath.parse(path)
        self.name = self.path.last
        self.key = issuing.new_key()
        if signed_by is None:
            self.pem = issuing.self_signed(self.path, self.key, now=now, days=10)
        else:
            request = issuing.request(self.path, self.key).encode()
            self.pem = issuing.sign(request, self.path, signed_by, now=now, days=10)
        self.certificate = read(self.pem)
        home = Path(directory, self.certificate.fingerprint[:23])
        self.certificate_file, self.key_file = home / "cell.crt", home / "cell.key"
        issuing.write({self.key_file: self.key, self.certificate_file: self.pem})

    def trusting(self, *neighbors: Cell, authorities: Iterable[Certificate] = (), issued: Iterable[Cell] = ()) -> Trust:
        """Return the Trust of a cell that registered certificates, or expects those of an authority for ``issued``."""
        registered: dict[str, list[Certificate]] = {}
        for neighbor in neighbors:
            registered.setdefault(neighbor.name, []).append(neighbor.certificate)
        paths = {neighbor.name: str(neighbor.path) for neighbor in issued}
        return Trust(self.certificate_file, self.key_file, registered, authorities, paths)


def exchange(*channels: Channel) -> tuple[list[bytes], list[bytes]]:
    """Carry bytes between two channels until both are silent; return the plaintext that each one received."""
    first, second = channels
    received: tuple[list[bytes], list[bytes]] = ([], [])
    while True:
        to_second, to_first = first.ciphertext_to_send(), second.ciphertext_to_send()
        if not to_first and not to_second:
            return received
        if to_second:
            received[1].extend(second.feed(to_second))
        if to_first:
            received[0].extend(first.feed(to_first))


def connected(dialing: Trust, neighbor: str, listening: Trust) -> tuple[Channel, Channel]:
    """Return both ends of a connection after its handshake."""
    client, server = Channel(dialing, neighbor), Channel(listening)
    exchange(client, server)
    return client, server
