"""Reader of ``zmq`` transport URLs: where the peers are, and where servers of this process listen.

====================================  =========================================================
``zmq:///``                           peers are in the registry, and servers register there
``zmq://host1:port1,host2:port2/``    peers by address; a server binds the first address it can
``zmq+ipc:///absolute/directory``     all processes of this machine with a socket in the directory
====================================  =========================================================
"""

from __future__ import annotations

from pathlib import Path

import oslo_messaging

from cells import exceptions
from cells.brokerless import addresses

IPC_TRANSPORT = "zmq+ipc"


def directory(url: oslo_messaging.TransportURL) -> Path | None:
    """Return the directory that the URL names, None if it names none.

    :raises cells.exceptions.ConfigurationError: the URL names no directory, or also a host
    """
    if url.transport != IPC_TRANSPORT:
        return None
    if url.hosts or not url.virtual_host:
        raise exceptions.ConfigurationError(
            "A zmq+ipc transport URL names a directory and no host: zmq+ipc:///run/cells/east."
        )
    return Path("/" + url.virtual_host.lstrip("/"))


def endpoints(url: oslo_messaging.TransportURL) -> list[str]:
    """Return the endpoints that the URL names; empty if the registry knows the peers.

    :raises cells.exceptions.ConfigurationError: the URL has a user, a path, or a host without a port
    """
    if url.transport == IPC_TRANSPORT:
        return []
    for host in url.hosts:
        if host.username or host.password:
            raise exceptions.ConfigurationError(
                "A zmq transport URL has no user and no password: use keys instead, see 'cells key --help'."
            )
        if not host.hostname or not host.port:
            raise exceptions.ConfigurationError("Each host of a zmq transport URL needs a port: zmq://10.0.0.5:5570/.")
    if url.virtual_host:
        raise exceptions.ConfigurationError(
            f"A zmq transport URL has no path, but this URL has /{url.virtual_host}: use zmq:/// for the registry of "
            "this cell, zmq://host:port/ for an address, or zmq+ipc:///directory for a socket directory."
        )
    return [addresses.tcp(host.hostname, host.port) for host in url.hosts]
