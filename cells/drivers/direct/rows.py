"""Rows: the settings of a node, from the rows of neighbors and the options."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import cast

from cells import exceptions
from cells.certificates.certificate import Certificate, read_file
from cells.certificates.expiry import expiring
from cells.drivers.base import Target
from cells.drivers.direct.hello import Window, Windows
from cells.drivers.direct.node_settings import Peer
from cells.drivers.direct.row import Row, is_direct

#: A payload is at most so much longer than the message that it holds: its keys, and JSON's escapes of quotes.
_HEAD_BYTES = 64 * 1024
_ESCAPED = 2


def peers(cells: Iterable[Target]) -> list[Peer]:
    """Return the neighbors with a direct link, and those that may still send over one."""
    rows = [cast("Row", cell) for cell in cells]
    return [
        Peer(row.name, row.certificate_list, row.certificate_path or "", row.address_list)
        for row in rows
        if is_direct(row)
    ]


def warnings(own_certificate: Path, now: float) -> list[str]:
    """Return texts about the dates of this cell's certificate, which may end soon.

    :param now: seconds since 1970
    """
    try:
        found = read_file(own_certificate)[:1]
    except exceptions.ConfigurationError:
        return []  # the node reports it
    return expiring([("This cell", one) for one in found], datetime.fromtimestamp(now, timezone.utc))


def authorities(files: Iterable[str]) -> tuple[Certificate, ...]:
    """Return the certificates in files.

    :raises cells.exceptions.ConfigurationError: a file cannot be read, or has no certificate
    """
    return tuple(one for file in files for one in read_file(Path(file)))


def longest_payload(max_message_bytes: int) -> int:
    """Return the bytes of the longest payload that may hold a message of the given length."""
    return min(_ESCAPED * max_message_bytes + _HEAD_BYTES, 2**32 - 1)


def queues(messages: int, size_bytes: int) -> Windows:
    """Return the bounds of the queues of one link: those of the send queue of any other link."""
    window = Window(messages=messages, bytes=size_bytes)
    return Windows(control=window, response=window, request=window)
