"""Trust: the own certificate, the certificates of neighbors, and the check of a peer's certificate against them.

OpenSSL checks during the handshake that the peer has the key of a certificate, and that this certificate is valid and
trusted.  Python has no hook for a check of its own, so :meth:`Trust.neighbor_of` checks after each handshake whose
certificate it is.  The name of a host plays no part.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from cells import exceptions, printable
from cells.certificates import own
from cells.certificates.certificate import Certificate
from cells.drivers.direct.tls_error import TLSError

#: Both sides of a direct link state this protocol in the handshake (ALPN).
PROTOCOL = "cells/1"
#: characters of the names in a certificate that an error shows
_MAX_SHOWN = 300


class Trust:
    """The neighbors that may connect, and the TLS contexts with this cell's own certificate.

    Immutable: after a change of a certificate, the driver builds another Trust and checks open connections against it.

    :param certificate: file with this cell's certificate in PEM; if an authority signed it, the certificates
        between them may follow
    :param key: file with its private key in PEM
    :param registered: for each neighbor with certificates of its own, these certificates: several during a rotation
    :param authorities: certificates of the authorities that sign those of other neighbors.  Such a certificate must be
        signed by one of these authorities itself.
    :param issued: for each neighbor whose certificate an authority signs, the path that the certificate must name
    :raises cells.exceptions.CertificateError: the own certificate or key cannot be used, a registered certificate
        is not one of a cell (reason ``authority``), or one of ``authorities`` is (``no_authority``)
    :raises cells.exceptions.ConfigurationError: a file cannot be read, or other users can read the key
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        registered: Mapping[str, Iterable[Certificate]],
        authorities: Iterable[Certificate] = (),
        issued: Mapping[str, str] | None = None,
    ) -> None:
        self._owners: dict[bytes, set[str]] = {}
        for neighbor, certificates in registered.items():
            for one in certificates:
                # OpenSSL would accept all certificates that this one has signed.
                one.check_is_of_a_cell()
                self._owners.setdefault(one.der, set()).add(neighbor)
        self._authorities = tuple(authorities)
        for authority in self._authorities:
            authority.check_is_authority()
        self._issued = dict(issued or {})
        self._own = certificate, key
        #: for connections that neighbors open
        self.server = self._context(ssl.PROTOCOL_TLS_SERVER)
        # A session ticket would let a peer in later without its certificate.
        self.server.num_tickets = 0

    @functools.cached_property
    def client(self) -> ssl.SSLContext:
        """For connections that this cell opens.

        Made when it is needed, because a context takes 5 KB for each certificate: the neighbors of a cell with very
        many of them usually open the connections.

        :raises cells.exceptions.ConfigurationError: as the constructor does, if a file has changed since then
        """
        return self._context(ssl.PROTOCOL_TLS_CLIENT)

    def neighbor_of(self, der: bytes) -> str:
        """Return the name of the neighbor to which the certificate ``der`` of a peer belongs.

        :raises TLSError: reason ``unknown_certificate``, ``wrong_name`` or ``shared_certificate``
        """
        found = self._owners.get(der) or self._named_by(der)
        if len(found) > 1:
            raise TLSError(
                f"The peer's certificate {Certificate.from_der(der)} is that of several neighbors "
                f"({', '.join(sorted(found))}): each cell needs a certificate of its own, created with 'cells cert "
                "create' in that cell.",
                reason="shared_certificate",
            )
        return next(iter(found))

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        # A trusted certificate ends a chain even if another one has signed it: an authority below another authority,
        # or a registered certificate that an authority signed.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.set_alpn_protocols([PROTOCOL])
        # One by one: OpenSSL needs 0.3 ms for each, during which no other thread runs.
        for der in (*self._owners, *(authority.der for authority in self._authorities)):
            context.load_verify_locations(cadata=der)
        _load_own(context, *self._own)
        return context

    def _named_by(self, der: bytes) -> set[str]:
        """Return the neighbors that a certificate names, if an authority has signed it."""
        try:
            certificate = Certificate.from_der(der)
            is_issued = certificate.is_issued_by(self._authorities)
        except exceptions.CertificateError as error:
            raise TLSError(error.message, reason="unknown_certificate") from error
        if not is_issued:
            raise TLSError(
                f"The peer's certificate {certificate} is not registered here, and no authority of [cells_direct] ca "
                "signed it: compare the fingerprints, and register the neighbor's certificate.",
                reason="unknown_certificate",
            )
        found = {neighbor for neighbor, path in self._issued.items() if path in certificate.paths}
        if not found:
            raise TLSError(
                f"The peer's certificate {certificate} is signed by an authority of [cells_direct] ca, and names "
                f"{printable.line(', '.join(certificate.paths), _MAX_SHOWN) or 'no cell'}, which is not the path of a "
                "neighbor.",
                reason="wrong_name",
            )
        return found


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Load the cell's own certificate and key, after checks whose errors say more than those of OpenSSL."""
    # OpenSSL would ask for the password of an encrypted key on the terminal of the service.
    own.read(certificate, key)
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        # Not chained: the error may quote a part of the key.
        raise exceptions.CertificateError(
            f"OpenSSL refuses the certificate in {certificate} or its key in {key} ({error.reason}): create both with "
            "'cells cert create --force'.",
            reason="refused",
        ) from None
