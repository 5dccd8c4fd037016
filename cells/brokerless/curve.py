"""CurveZMQ on a socket: encryption, and proof of who is at the other end.

The driver calls one of these for each TCP socket before it binds or connects.
What a server then asks for each peer is in :mod:`cells.brokerless.authenticator`.
"""

from __future__ import annotations

import zmq

from cells.brokerless.authenticator import DOMAIN
from cells.brokerless.keys import KeyStore


def secure_server(socket: zmq.Socket[bytes], store: KeyStore) -> None:
    """Have ``socket`` take peers that prove a registered key, and nobody else.

    To be called before ``bind``.  As long as no Authenticator of the socket's
    context runs, every peer is refused.

    :raises cells.exceptions.ConfigurationError: the cell's own key cannot be used
    """
    public, secret = store.own()
    socket.curve_publickey = public
    socket.curve_secretkey = secret
    socket.curve_server = True
    socket.zap_domain = DOMAIN
    # Else libzmq lets everybody in while nothing is there to ask.
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def secure_client(socket: zmq.Socket[bytes], store: KeyStore, peer: str | None = None) -> None:
    """Have ``socket`` talk to the holder of one key only, and prove this cell's own key to it.

    To be called before ``connect``.  A server that refuses this cell's key ends the
    connection, and libzmq does not try that address again on this socket
    (monitor event HANDSHAKE_FAILED_AUTH): to try again takes a new socket.

    :param peer: name under which the server's key is registered; None for another
        process of this very cell
    :raises cells.exceptions.ConfigurationError: the cell's own key cannot be used, or
        no key is registered under that name
    """
    public, secret = store.own()
    socket.curve_serverkey = public if peer is None else store.get(peer)
    socket.curve_publickey = public
    socket.curve_secretkey = secret
