"""What a transport URL of ``zmq`` says: where the peers are, and where servers of this process listen.

====================================  =========================================================
``zmq:///``                           peers are in the registry, and servers register there
``zmq://host1:port1,host2:port2/``    peers by address; a server takes the address that is its own
``zmq+ipc:///absolute/directory``     every process of this machine with a socket in the directory
====================================  =========================================================
"""

from __future__ import annotations

from pathlib import Path

import oslo_messaging

from cells import exceptions
from cells.brokerless import addresses

IPC_TRANSPORT = "zmq+ipc"


def directory(url: oslo_messaging.TransportURL) -> Path | None:
    """The directory that the URL names, None if it names none.

    :raises cells.exceptions.ConfigurationError: what it says cannot be one
    """
    if url.transport != IPC_TRANSPORT:
        return None
    if url.hosts or not url.virtual_host:
        raise exceptions.ConfigurationError(
            "A transport URL with zmq+ipc names a directory and no host: zmq+ipc:///run/cells/east."
        )
    return Path("/" + url.virtual_host.lstrip("/"))


def endpoints(url: oslo_messaging.TransportURL) -> list[str]:
    """The endpoints that the URL names, none if it leaves them to the registry.

    :raises cells.exceptions.ConfigurationError: what it says cannot be one
    """
    if url.transport == IPC_TRANSPORT:
        return []
    for host in url.hosts:
        if host.username or host.password:
            raise exceptions.ConfigurationError(
                "A transport URL with zmq has no user and no password: keys do that, see 'cells key --help'."
            )
        if not host.hostname or not host.port:
            raise exceptions.ConfigurationError(
                "Each host of a transport URL with zmq needs its port: zmq://10.0.0.5:5570/."
            )
    if url.virtual_host:
        raise exceptions.ConfigurationError(
            f"A transport URL with zmq has no path, this one has /{url.virtual_host}: write zmq:/// for the registry "
            "of this cell, zmq://host:port/ for an address, zmq+ipc:///directory for a directory of sockets."
        )
    return [addresses.tcp(host.hostname, host.port) for host in url.hosts]
