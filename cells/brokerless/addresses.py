"""Where a serving process is: one or several endpoints of ZeroMQ, as one text for the MatchMaker.

``ipc:///run/cells/3f0c.sock,tcp://10.0.0.5:5570`` is one process that can be reached in
two ways.  The text of a notification listener ends with ``@pool``.  What else has one of
these characters in it, such as a directory ``cells@east``, is percent-encoded.
"""

from __future__ import annotations

import os
import urllib.parse
from dataclasses import dataclass

from cells import exceptions

IPC = "ipc://"
TCP = "tcp://"


@dataclass(frozen=True)
class Address:
    """One serving process and, for a listener of notifications, its pool."""

    endpoints: tuple[str, ...]
    pool: str = ""

    def __str__(self) -> str:
        process = ",".join(_quote(endpoint) for endpoint in self.endpoints)
        return f"{process}@{_quote(self.pool)}" if self.pool else process

    @property
    def process(self) -> str:
        """The same text for all that one process serves."""
        return ",".join(self.endpoints)

    def nearest(self) -> str | None:
        """The endpoint to connect to from here, None if there is no way.

        The name of a socket is random: a path that exists here is that very socket.
        """
        for endpoint in self.endpoints:
            # Not Path.exists: that raises if another user's directory may not be looked into.
            if not endpoint.startswith(IPC) or os.path.exists(endpoint.removeprefix(IPC)):
                return endpoint
        return None


def parse(text: str) -> Address:
    """Read what :meth:`Address.__str__` has written."""
    process, _, pool = text.partition("@")
    return Address(tuple(map(urllib.parse.unquote, process.split(","))), urllib.parse.unquote(pool))


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="/:[]!$&'()*+;= ")


def tcp(hostname: str, port: int) -> str:
    """The endpoint of a host and port; an IPv6 address is given without brackets."""
    return f"{TCP}[{hostname}]:{port}" if ":" in hostname else f"{TCP}{hostname}:{port}"


def split_tcp(endpoint: str) -> tuple[str, int]:
    """Host and port of a TCP endpoint, an IPv6 address without brackets."""
    hostname, _, port = endpoint.removeprefix(TCP).rpartition(":")
    return hostname.removeprefix("[").removesuffix("]"), int(port)


def read_bind(text: str) -> str:
    """The endpoint of the option ``bind``.

    :raises cells.exceptions.ConfigurationError: it names no host and port that others can connect to
    """
    hostname, _, port = text.removeprefix(TCP).rpartition(":")
    hostname = hostname.removeprefix("[").removesuffix("]")
    if not hostname or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise exceptions.ConfigurationError(
            f"[oslo_messaging_zmq] bind is {text!r}: it should look like 10.0.0.5:5570 or [fd00::5]:5570."
        )
    if hostname in ("*", "0.0.0.0", "::"):  # noqa: S104  # refused here
        raise exceptions.ConfigurationError(
            f"[oslo_messaging_zmq] bind is {text!r}, which is what servers register as their address: "
            "name the one address of this host that others connect to."
        )
    return tcp(hostname, int(port))
