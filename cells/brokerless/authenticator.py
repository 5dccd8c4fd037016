"""Authenticator: accepts or refuses each new connection to the TCP sockets of a ZeroMQ context.

libzmq asks through the protocol ZAP (ZeroMQ RFC 27): its sessions are clients of one socket
of the context.  pyzmq has an authenticator thread too, but that thread passes no address to
its callback, ends at the first exception, and imports asyncio.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Hashable

import zmq
from zmq.utils import z85

from cells import exceptions
from cells.brokerless.keys import KeyStore
from cells.brokerless.refusals import Refusals

LOG = logging.getLogger(__name__)

#: ZAP domain of the secured sockets. The authenticator refuses connections of any other domain.
DOMAIN = b"cells"
_ENDPOINT = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
_ACCEPTED, _REFUSED, _FAILED = b"200", b"400", b"500"
#: User IDs of accepted peers: a process of this cell, and a process of a cell whose key is registered.
OWN_CELL, NEIGHBOR = "own-cell", "neighbor"


class Authenticator:
    """ZAP handler that accepts peers with this cell's own key or a registered key.  One per context.

    Each message of an accepted peer has the peer's user ID, OWN_CELL or NEIGHBOR, as its property ``User-Id``.
    A key that is added or deleted takes effect at the next connection.  If no
    Authenticator runs, a secured server refuses every connection.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], store: KeyStore) -> None:
        self._context = context
        self._store = store
        self._refusals = Refusals()
        self._fingerprint: Hashable = None
        #: key -> user ID
        self._keys: dict[bytes, str] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._control: zmq.Socket[bytes] | None = None

    def start(self) -> None:
        """Read the keys and start to accept connections.  Does nothing if the Authenticator already runs.

        :raises cells.exceptions.ConfigurationError: the keys cannot be read, or
            another ZAP handler runs in this context
        """
        with self._lock:
            if self._thread is not None:
                return
            self._read_keys()
            with contextlib.ExitStack() as undo_on_failure:
                handler, control, ending = (
                    undo_on_failure.enter_context(self._context.socket(kind)) for kind in (zmq.REP, zmq.PAIR, zmq.PAIR)
                )
                handler.linger = control.linger = 0
                try:
                    handler.bind(_ENDPOINT)
                except zmq.ZMQError as error:
                    raise exceptions.ConfigurationError(
                        f"Another ZAP handler already authenticates the sockets of this process: {error}."
                    ) from error
                # A new name for each start: the previous name may still be in use.
                control_endpoint = f"inproc://cells-authenticator-{secrets.token_hex(8)}"
                control.bind(control_endpoint)
                ending.connect(control_endpoint)
                self._thread = threading.Thread(
                    target=self._run, args=(handler, ending), name="zmq-authenticator", daemon=True
                )
                self._thread.start()
                self._control = control
                undo_on_failure.pop_all()

    def stop(self) -> None:
        """Stop; from now on secured servers refuse every new peer.  Does nothing if it does not run."""
        with self._lock:
            if self._thread is None or self._control is None:
                return
            with contextlib.suppress(zmq.ZMQError):  # the context or the thread has ended already
                self._control.send(b"", zmq.NOBLOCK)
            self._thread.join()
            self._control.close()
            self._thread = self._control = None

    def user_id(self, key: bytes) -> str | None:
        """Return the user ID of a peer with the public key ``key`` (Z85); None if the peer may not connect.

        :raises cells.exceptions.ConfigurationError: the keys cannot be read
        """
        if self._store.fingerprint() != self._fingerprint:
            self._read_keys()
        return self._keys.get(key)

    def _read_keys(self) -> None:
        # Read before the files: a change during the reading is then noticed the next time.
        fingerprint = self._store.fingerprint()
        self._fingerprint, self._keys = None, {}
        keys = {}
        for name in self._store.names():
            try:
                keys[self._store.get(name)] = NEIGHBOR
            except exceptions.CellsError as error:
                LOG.warning("The cell %s cannot connect, because its registered key cannot be read: %s", name, error)
        keys[self._store.own()[0]] = OWN_CELL
        self._fingerprint, self._keys = fingerprint, keys

    def _run(self, handler: zmq.Socket[bytes], ending: zmq.Socket[bytes]) -> None:
        poller = zmq.Poller()
        poller.register(handler, zmq.POLLIN)
        poller.register(ending, zmq.POLLIN)
        try:
            while ending not in (ready := dict(poller.poll())):
                if handler in ready:
                    handler.send_multipart(self._answer(handler.recv_multipart()))
            # close() alone frees the address some time later.
            handler.unbind(_ENDPOINT)
        except zmq.ContextTerminated:
            pass
        except zmq.ZMQError:
            LOG.exception("The authenticator has failed: no peer can connect until this process is restarted")
        finally:
            handler.close()
            ending.close()

    def _answer(self, request: list[bytes]) -> list[bytes]:
        request_id = request[1] if len(request) > 1 else b""
        user_id = ""
        try:
            status, text, user_id = self._decide(request)
        except exceptions.CellsError as error:
            self._refusals.failed(str(error))
            status, text = _FAILED, b"The keys cannot be read"
        except Exception:
            LOG.exception("A peer was refused because its authentication failed unexpectedly")
            status, text = _FAILED, b"Internal error"
        return [_VERSION, request_id, status, text, user_id.encode(), b""]

    def _decide(self, request: list[bytes]) -> tuple[bytes, bytes, str]:
        _version, _request_id, domain, address, _identity, mechanism, *credentials = request
        if domain != DOMAIN or mechanism != b"CURVE":
            return _REFUSED, b"Not a peer of cells", ""
        key = z85.encode(credentials[0])
        user_id = self.user_id(key)
        if user_id is not None:
            return _ACCEPTED, b"OK", user_id
        # A dual-stack socket shows IPv4 peers as IPv4-mapped IPv6 addresses.
        self._refusals.refused(key.decode(), address.decode(errors="replace").removeprefix("::ffff:"))
        return _REFUSED, b"Unknown key", ""
