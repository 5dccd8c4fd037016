"""Address of a serving process: its ZeroMQ endpoints, as one text for the MatchMaker.

``ipc:///run/cells/3f0c.sock,tcp://10.0.0.5:5570`` is one process with two endpoints.  The
address of a notification listener ends with ``@pool``.  Any other ``,``, ``@`` or ``%``, for
example in a directory ``cells@east``, is percent-encoded.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import urllib.parse
from dataclasses import dataclass

from cells import exceptions

IPC = "ipc://"
TCP = "tcp://"


@dataclass(frozen=True)
class Address:
    """Endpoints of one serving process and, for a notification listener, the pool."""

    endpoints: tuple[str, ...]
    pool: str = ""

    def __str__(self) -> str:
        process = ",".join(_quote(endpoint) for endpoint in self.endpoints)
        return f"{process}@{_quote(self.pool)}" if self.pool else process

    @property
    def process(self) -> str:
        """Return the address of the process without the pool: the same text for all its listeners."""
        return ",".join(self.endpoints)

    def nearest(self) -> str | None:
        """Return the endpoint to connect to from this host, None if no endpoint can be reached from here.

        Socket names are random: if the path exists on this host, the socket belongs to this process.
        """
        for endpoint in self.endpoints:
            # Not Path.exists: Path.exists raises if this user may not enter the directory.
            if not endpoint.startswith(IPC) or os.path.exists(endpoint.removeprefix(IPC)):
                return endpoint
        return None


def parse(text: str) -> Address:
    """Read a text that :meth:`Address.__str__` wrote."""
    process, _, pool = text.partition("@")
    return Address(tuple(map(urllib.parse.unquote, process.split(","))), urllib.parse.unquote(pool))


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="/:[]!$&'()*+;= ")


def tcp(hostname: str, port: int) -> str:
    """Return the endpoint for a host and port; pass an IPv6 address without brackets."""
    return f"{TCP}[{hostname}]:{port}" if ":" in hostname else f"{TCP}{hostname}:{port}"


def split_tcp(endpoint: str) -> tuple[str, int]:
    """Return host and port of a TCP endpoint, an IPv6 address without brackets."""
    hostname, port = _split(endpoint)
    return hostname, int(port)


def _split(text: str) -> tuple[str, str]:
    hostname, _, port = text.removeprefix(TCP).rpartition(":")
    return hostname.removeprefix("[").removesuffix("]"), port


def read_bind(text: str) -> str:
    """Return the endpoint that the option ``bind`` names.

    :raises cells.exceptions.ConfigurationError: the text has no host or no port, or the host is a wildcard
    """
    hostname, port = _split(text)
    if not hostname or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise exceptions.ConfigurationError(
            f"[oslo_messaging_zmq] bind is {text!r}: write an address and a port, 10.0.0.5:5570 or [fd00::5]:5570."
        )
    if hostname in ("*", "0.0.0.0", "::"):  # noqa: S104  # a wildcard is refused here
        raise exceptions.ConfigurationError(
            f"[oslo_messaging_zmq] bind is the wildcard {text!r}, but servers register bind as their address: "
            "write an address of this host that other hosts can connect to."
        )
    return tcp(hostname, int(port))


def is_loopback(endpoint: str) -> bool:
    """Return whether a TCP endpoint is an address at which each host reaches only itself.

    A name is resolved, which may block: some systems resolve their own host name to 127.0.1.1.
    """
    try:
        found = socket.getaddrinfo(*split_tcp(endpoint), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)
