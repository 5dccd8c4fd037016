"""Channel: TLS on one connection of a direct link, as bytes in and bytes out.

The driver moves the bytes between a channel and its socket.  A channel has no socket, no thread and no lock, and never
blocks: Python's ``SSLSocket`` crashes or deadlocks in several releases of CPython if one thread reads while another
thread writes.  One thread at a time may use a channel.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterable

from cells.drivers.direct import tls_error
from cells.drivers.direct.tls_error import TLSError
from cells.drivers.direct.trust import PROTOCOL, Trust

#: Bytes of the longest record of TLS: OpenSSL never returns more in one call.
_MAX_RECORD_BYTES = 16384
#: A MemoryBIO keeps the memory of the most bytes that it ever had.  In slices of this length, it has few.
_SLICE_BYTES = 16384


class Channel:
    """One side of a TLS 1.3 connection.

    The driver alternates :meth:`feed`, with all bytes that it reads from the socket, and :meth:`ciphertext_to_send`,
    whose bytes it writes to the socket; the latter first, because a client opens the handshake.  After an error of any
    method it sends ``ciphertext_to_send()`` once more, which may have an alert with the reason, and closes the socket.

    :param neighbor: the neighbor at whose address this cell connects; None on a connection that the peer opened
    """

    def __init__(self, trust: Trust, neighbor: str | None = None) -> None:
        self._trust = trust
        self._expected = neighbor
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        #: what was taken from _outgoing already
        self._ciphertext: list[bytes] = []
        is_server = neighbor is None
        context = trust.server if is_server else trust.client
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=is_server)
        #: The neighbor, when the handshake has ended and the certificate has been checked.  On the side that opened
        #: the connection, the peer may still refuse this cell's certificate: wait for its first plaintext.
        self.neighbor: str | None = None
        #: whether the connection is at its orderly end: either side has called :meth:`close`
        self.is_closed = False
        if not is_server:
            self._advance()

    def feed(self, ciphertext: bytes) -> list[bytes]:
        """Take bytes from the socket; return the plaintext in them, in pieces of at most 16 KiB.

        :raises TLSError: the handshake fails, the peer is not the expected neighbor, or the bytes are damaged
        """
        pieces: list[bytes] = []
        for part in _slices(ciphertext):
            if not self.is_closed:
                self._incoming.write(part)
                if self.neighbor is not None or self._advance():
                    self._read(pieces)
        return pieces

    def end(self) -> None:
        """Take note that the peer has closed its socket.

        :raises TLSError: reason ``broken``: it has not ended its TLS session before, so bytes may be lost
        """
        if not self.is_closed:
            state = "during the handshake" if self.neighbor is None else "without notice"
            raise TLSError(f"The peer closed the connection {state}.", reason="broken")

    def write(self, plaintext: bytes | bytearray | memoryview) -> None:
        """Encrypt ``plaintext`` for :meth:`ciphertext_to_send`; many short pieces cost more than one long piece.

        :raises RuntimeError: ``neighbor`` is still None, or the channel is closed
        """
        if self.neighbor is None or self.is_closed:
            raise RuntimeError("Only an open channel whose peer is known takes plaintext")
        for part in _slices(plaintext):
            if self._outgoing.pending >= _SLICE_BYTES:
                self._ciphertext.append(self._outgoing.read())
            self._tls.write(part)

    def ciphertext_to_send(self) -> bytes:
        """Return all bytes for the socket that were not returned before."""
        last = self._outgoing.read()
        if not self._ciphertext:
            return last
        found = b"".join((*self._ciphertext, last))
        self._ciphertext.clear()
        return found

    def close(self) -> None:
        """End the session in order: the bytes to send tell the peer that nothing follows."""
        self.is_closed = True
        # OpenSSL complains that the peer has not ended its side too, which the driver does not wait for.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()

    def check(self, trust: Trust) -> None:
        """Check an open channel against another Trust, after the registered certificates have changed.

        :raises TLSError: the peer's certificate is no longer one of the same neighbor
        """
        self._trust, self._expected = trust, self.neighbor
        self.neighbor = self._identify()

    def _advance(self) -> bool:
        """Continue the handshake as far as the bytes allow; return whether it has ended."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise tls_error.during_handshake(error) from error
        if self._tls.selected_alpn_protocol() != PROTOCOL:
            raise TLSError(
                f"The peer speaks TLS, but not the protocol {PROTOCOL} inside: check that the address is that of "
                "a manager's [cells_direct] listen.",
                reason="other_protocol",
            )
        self.neighbor = self._identify()
        return True

    def _identify(self) -> str:
        certificate = self._tls.getpeercert(binary_form=True)
        if certificate is None:
            raise TLSError("The peer sent no certificate.", reason="no_certificate")
        found = self._trust.neighbor_of(certificate)
        if self._expected not in (None, found):
            raise TLSError(
                f"The peer's certificate is that of {found}, and this cell asked for {self._expected}: correct the "
                "address or the registered certificate of one of them.",
                cell=found,
                reason="other_neighbor",
            )
        return found

    def _read(self, pieces: list[bytes]) -> None:
        """Append the plaintext of all complete records to ``pieces``."""
        try:
            # The condition is cheaper than the exception, which is left for incomplete records.
            while self._incoming.pending or self._tls.pending():
                piece = self._tls.read(_MAX_RECORD_BYTES)
                if not piece:
                    self.is_closed = True
                    return
                pieces.append(piece)
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise tls_error.after_handshake(error) from error


def _slices(data: bytes | bytearray | memoryview) -> Iterable[bytes | bytearray | memoryview]:
    if len(data) <= _SLICE_BYTES:
        return (data,) if data else ()
    view = memoryview(data)
    return (view[start : start + _SLICE_BYTES] for start in range(0, len(data), _SLICE_BYTES))
