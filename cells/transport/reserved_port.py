"""Ports of the loopback address that are reserved until another process, or another object, listens there.

``cells sandbox`` and the trees of :mod:`cells.testing` choose the ports of their managers here.
"""

from __future__ import annotations

import socket

HOST = "127.0.0.1"


def reserve(port: int = 0) -> socket.socket:
    """Bind a port and return the socket; its owner closes it to end the reservation.

    A manager can listen at the port, because it and this socket have SO_REUSEADDR, and this socket does not listen.
    Without the reservation the kernel may give the port to an outgoing connection before the manager listens.

    :param port: 0 means any free port
    :raises OSError: the port is in use
    """
    reserved = socket.socket()
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((HOST, port))
    except BaseException:
        reserved.close()
        raise
    return reserved
