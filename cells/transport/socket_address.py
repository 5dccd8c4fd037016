"""Addresses of managers, ``10.0.0.5:5680`` or ``[fd00::5]:5680``, and the socket addresses that they resolve to."""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

from cells import exceptions


class SocketAddress(NamedTuple):
    """The arguments for a socket, and for its ``bind`` or ``connect``."""

    family: int
    address: tuple[Any, ...]


def split(text: str) -> tuple[str, int]:
    """Return host and port of an address, an IPv6 address without brackets.

    :raises cells.exceptions.ConfigurationError: the text has no host or no port
    """
    host, _, port = text.strip().rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if not host or (":" in host and not is_bracketed) or not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise exceptions.ConfigurationError(
            f"{text!r:.300} is no address of a manager: write host and port, 10.0.0.5:5680 or [fd00::5]:5680."
        )
    return host[1:-1] if is_bracketed else host, int(port)


def show(address: tuple[Any, ...]) -> str:
    """Return the text of the address of a socket."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def resolve(text: str, *, is_passive: bool = False) -> list[SocketAddress]:
    """Return the addresses of sockets for ``text``, at least one.  Blocks while the name is resolved.

    :param is_passive: for ``bind``
    :raises cells.exceptions.ConfigurationError: the text is no address, or its name is unknown
    """
    host, port = split(text)
    flags = socket.AI_PASSIVE if is_passive else 0
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError) as error:
        raise exceptions.ConfigurationError(
            f"The address {text!r:.300} resolves to nothing ({error}): check its spelling, and the name servers."
        ) from error
    return list(dict.fromkeys(SocketAddress(family, address) for family, _, _, _, address in found))
