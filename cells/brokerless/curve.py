"""CurveZMQ on a socket: encryption, and authentication of the peer.

The driver calls one of these functions for each TCP socket before bind or connect.
:mod:`cells.brokerless.authenticator` then accepts or refuses each peer of a server.
"""

from __future__ import annotations

import zmq

from cells.brokerless.authenticator import DOMAIN
from cells.brokerless.keys import KeyStore


def secure_server(socket: zmq.Socket[bytes], store: KeyStore) -> None:
    """Have ``socket`` accept only peers that prove a registered key.

    Call this before ``bind``.  If no Authenticator runs in the socket's context,
    every peer is refused.

    :raises cells.exceptions.ConfigurationError: the cell's own key cannot be used
    """
    public, secret = store.own()
    socket.curve_publickey = public
    socket.curve_secretkey = secret
    socket.curve_server = True
    socket.zap_domain = DOMAIN
    # Without this option libzmq accepts every peer while no Authenticator runs.
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def secure_client(socket: zmq.Socket[bytes], store: KeyStore, peer: str | None = None) -> None:
    """Have ``socket`` talk only to the holder of one key, and prove this cell's own key to that peer.

    Call this before ``connect``.  A server that refuses this cell's key ends the
    connection, and libzmq does not retry that address on this socket
    (monitor event HANDSHAKE_FAILED_AUTH): a retry needs a new socket.

    :param peer: name under which the server's key is registered; None if the server is
        another process of this cell
    :raises cells.exceptions.ConfigurationError: the cell's own key cannot be used, or
        no key is registered under the name ``peer``
    """
    public, secret = store.own()
    socket.curve_serverkey = public if peer is None else store.get(peer)
    socket.curve_publickey = public
    socket.curve_secretkey = secret
