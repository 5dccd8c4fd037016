"""Certificate: the identity of a cell on direct links, as it is read from a PEM text and checked.

The commands read certificates to register them, the driver to build its :class:`~cells.drivers.direct.trust.Trust`.
:mod:`cells.certificates.issuing` makes certificates.
"""

from __future__ import annotations

import hashlib
import math
import ssl
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from cells import exceptions, path, printable, private_files

#: the command that creates the certificate of a cell and its key
CREATE = "cells cert create"
#: A cell's certificate names the cell's path in a URI, as ``cells:api!east``.
_SCHEME = "cells:"
#: characters of a subject in an error
_MAX_SHOWN = 80
#: Bytes of the longest text of certificates that is read.
_MAX_BYTES = 1_000_000
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """One certificate.  Its bytes are the identity: two certificates are the same if they have equal ``der``."""

    der: bytes
    subject: str
    #: the paths of cells in its URI names; ``api!east`` for ``cells:api!east``
    paths: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    #: whether it may sign others (CA:TRUE or CA:FALSE); None if it does not say
    is_authority: bool | None

    @classmethod
    def from_der(cls, der: bytes) -> Certificate:
        """Read a certificate from its bytes.

        :raises cells.exceptions.CertificateError: ``der`` is no certificate (reason ``damaged``)
        """
        try:
            found = x509.load_der_x509_certificate(der)
            found.public_key()  # an error now, and not in the first handshake, if it is of an unknown kind
            return cls(
                der=der,
                subject=found.subject.rfc4514_string(),
                paths=tuple(_paths(found)),
                not_before=found.not_valid_before_utc,
                not_after=found.not_valid_after_utc,
                is_authority=_is_authority(found),
            )
        # The library documents ValueError, and damaged bytes lead to KeyError, TypeError and others.
        except Exception as error:
            raise _damaged("The certificate") from error

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate as ``openssl x509 -fingerprint -sha256`` shows it: ``AB:CD:...``."""
        return hashlib.sha256(self.der).digest().hex(":").upper()

    @property
    def pem(self) -> str:
        """The text of the certificate."""
        return ssl.DER_cert_to_PEM_cert(self.der)

    def days_left(self, now: datetime) -> int:
        """Return the whole days until the certificate expires; negative if it has expired."""
        return math.floor((self.not_after - now) / _DAY)

    def check_is_valid(self, now: datetime) -> None:
        """Check the dates of the certificate.

        :raises cells.exceptions.CertificateError: reason ``expired`` or ``not_yet_valid``
        """
        if now > self.not_after:
            raise exceptions.CertificateError(
                f"The certificate {self} expired on {show_date(self.not_after)}: create and register a new "
                "certificate.",
                reason="expired",
            )
        if now < self.not_before:
            raise exceptions.CertificateError(
                f"The certificate {self} is not valid before {show_date(self.not_before)}, and it is "
                f"{show_date(now)} here: check the clocks of both cells.",
                reason="not_yet_valid",
            )

    def check_is_of_a_cell(self) -> None:
        """Check that the certificate cannot sign others: registered, it would let in every cell that it signs.

        :raises cells.exceptions.CertificateError: reason ``authority``
        """
        if self.is_authority is not False:
            says = "belongs to a certificate authority (CA:TRUE)" if self.is_authority else "does not say CA:FALSE"
            raise exceptions.CertificateError(
                f"The certificate {self} {says}, so it cannot be the certificate of a cell: create the cell's "
                "certificate with 'cells cert create'. With openssl req -x509, add -addext "
                "basicConstraints=critical,CA:FALSE.",
                reason="authority",
            )

    def check_is_authority(self) -> None:
        """Check that the certificate can sign others.

        :raises cells.exceptions.CertificateError: reason ``no_authority``
        """
        if not self.is_authority:
            raise exceptions.CertificateError(
                f"The certificate {self} cannot sign others (it has no CA:TRUE): use the certificate of a certificate "
                "authority.",
                reason="no_authority",
            )

    def check_is_of_one_cell(self, owners: Mapping[Certificate, str], cell: str) -> None:
        """Check that no cell but ``cell`` has this certificate.

        :param owners: the certificates that are known, with the names of their cells
        :raises cells.exceptions.CertificateError: reason ``shared``
        """
        owner = owners.get(self, cell)
        if owner != cell:
            raise exceptions.CertificateError(
                f"The certificate {self} is that of {owner}, so {cell} cannot have it, too: each cell needs a "
                f"certificate of its own. Run 'cells cert create' in {cell}.",
                cell=cell,
                reason="shared",
            )

    def is_issued_by(self, authorities: Iterable[Certificate]) -> bool:
        """Return whether one of ``authorities`` itself signed this certificate, without another one between them."""
        own = x509.load_der_x509_certificate(self.der)
        return any(_has_signed(x509.load_der_x509_certificate(authority.der), own) for authority in authorities)

    def __str__(self) -> str:
        """Return what identifies the certificate in an error: its subject, and the start of its fingerprint."""
        return f"{printable.line(self.subject, _MAX_SHOWN)} ({self.fingerprint[:23]}...)"


def uri(cell: path.CellPath) -> str:
    """Return the URI that names ``cell`` in a certificate."""
    return _SCHEME + urllib.parse.quote(str(cell), safe=path.SEPARATOR)


def read(text: bytes, where: str) -> list[Certificate]:
    """Return the certificates of a PEM text, at least one.

    :param where: the origin of the text, for the error
    :raises cells.exceptions.CertificateError: reason ``private_key``, ``no_certificate`` or ``damaged``
    """
    # Not only instead of a certificate but also beside it: the text may be stored where others can read it.
    if b"PRIVATE KEY-----" in text:
        raise exceptions.CertificateError(
            f"{where} has a private key, and must have certificates alone. The key belongs in a file of its own that "
            "only the services of its cell can read; no other cell needs it.",
            reason="private_key",
        )
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise exceptions.CertificateError(
            f"{where} has no certificate: it must have a text with the line -----BEGIN CERTIFICATE-----. A certificate "
            "in DER is converted by 'openssl x509 -inform DER -in FILE'.",
            reason="no_certificate",
        )
    try:
        found = x509.load_pem_x509_certificates(text)
        return [Certificate.from_der(one.public_bytes(Encoding.DER)) for one in found]
    except (ValueError, exceptions.CertificateError) as error:
        raise _damaged(where) from error


def read_file(file: Path, create: str = CREATE) -> list[Certificate]:
    """Return the certificates of a PEM file, at least one.

    :param create: the command that creates the file, for the error
    :raises cells.exceptions.ConfigurationError: the file cannot be read
    :raises cells.exceptions.CertificateError: as :func:`read` does; reason ``missing`` without the file
    """
    return read(read_text(file, create), str(file))


def read_text(file: Path, create: str = CREATE) -> bytes:
    """Return the content of a file with certificates, a key or a request.

    :param create: the command that creates the file, for the error
    :raises cells.exceptions.ConfigurationError: the file cannot be read
    :raises cells.exceptions.CertificateError: reason ``missing``
    """
    try:
        with private_files.reading(file), open(file, "rb") as opened:
            return opened.read(_MAX_BYTES)
    except FileNotFoundError:
        raise exceptions.CertificateError(
            f"{file} does not exist: run '{create}', or correct the name of the file.", reason="missing"
        ) from None


def _paths(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return [urllib.parse.unquote(uri.removeprefix(_SCHEME)) for uri in uris if uri.startswith(_SCHEME)]


def _is_authority(certificate: x509.Certificate) -> bool | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return None


def _has_signed(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    # ValueError: the issuer is another one; TypeError: the key is of a kind that signs no certificates.
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        return False
    return True


def _damaged(where: str) -> exceptions.CertificateError:
    return exceptions.CertificateError(
        f"{where} cannot be read: it is damaged or incomplete, or has a key of an unknown kind. Copy the whole file "
        "again, or create the certificate with 'cells cert create'.",
        reason="damaged",
    )


def show_date(time: datetime) -> str:
    """Return the text of a time in UTC, for an operator."""
    return f"{time:%Y-%m-%d %H:%M} UTC"
