"""Keys and certificates of cells: self-signed, or requested by a cell and signed by an authority.

A cell's certificate has CA:FALSE, and names the path of the cell in a URI.  New keys are of the curve P-256, which
every build of OpenSSL accepts in TLS 1.3, those for FIPS included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cells import exceptions, printable, private_files
from cells.certificates.certificate import Certificate, uri
from cells.path import CellPath

#: A new certificate is valid from this time ago, because the clock of another cell may be behind.
_CLOCK_DIFFERENCE = timedelta(hours=1)
#: limit of X.509 for the common name of a subject
_MAX_SUBJECT_LENGTH = 64
#: characters of the names in a request that an error shows
_MAX_SHOWN = 300

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Authority:
    """A certificate that signs those of cells, and its key: the operator's, or one of the parent cell.

    :raises cells.exceptions.CertificateError: the certificate cannot sign others (reason ``no_authority``), or the
        key belongs to another certificate (``mismatch``)
    """

    certificate: Certificate
    key: PrivateKey

    def __post_init__(self) -> None:
        self.certificate.check_is_authority()
        if not is_key_of(self.key, self.certificate):
            raise exceptions.CertificateError(
                f"The key does not belong to the certificate {self.certificate}: use the key that the certificate was "
                "made with.",
                reason="mismatch",
            )

    @property
    def name(self) -> x509.Name:
        """The issuer in the certificates that it signs."""
        return x509.load_der_x509_certificate(self.certificate.der).subject


def new_key() -> PrivateKey:
    """Return a new private key."""
    return ec.generate_private_key(ec.SECP256R1())


def is_key_of(key: PrivateKey, certificate: Certificate) -> bool:
    """Return whether the certificate was made for this key."""
    return x509.load_der_x509_certificate(certificate.der).public_key() == key.public_key()


def read_key(text: bytes, where: str) -> PrivateKey:
    """Return the private key of a PEM text.

    :param where: the origin of the text, for the error
    :raises cells.exceptions.CertificateError: reason ``encrypted_key`` or ``no_key``
    """
    # The errors of the library are not chained: they may quote a part of the key.
    try:
        key = load_pem_private_key(text, password=None)
    except TypeError:
        raise exceptions.CertificateError(
            f"The private key in {where} is encrypted, and services start without a person who enters its password: "
            "decrypt it with 'openssl pkey -in FILE -out NEW', and protect the new file by its permissions (0600).",
            reason="encrypted_key",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, PrivateKey):
        raise exceptions.CertificateError(
            f"{where} has no private key of a known kind (elliptic curve, RSA, Ed25519), or it is damaged: it must "
            "have a text with the line -----BEGIN PRIVATE KEY-----.",
            reason="no_key",
        )
    return key


def self_signed(cell: CellPath, key: PrivateKey, *, now: datetime, days: int) -> str:
    """Return a certificate of ``cell`` in PEM, which the cell's neighbors register."""
    return _certificate(cell, key.public_key(), _subject(cell.last), key, (now, now + timedelta(days)))


def authority(name: str, key: PrivateKey, *, now: datetime, days: int) -> str:
    """Return the certificate of an authority in PEM.  It signs certificates of cells, and no other authorities."""
    subject = _subject(name)
    builder = _builder(subject, key.public_key(), subject, key, (now, now + timedelta(days)))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return _signed(builder.add_extension(_usage(signs_certificates=True), critical=True), key)


def request(cell: CellPath, key: PrivateKey) -> str:
    """Return a signing request for ``cell`` in PEM.  Its signature proves that the cell has the key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(cell.last))
    return _signed(builder.add_extension(_names(cell), critical=False), key)


def sign(text: bytes, cell: CellPath, by: Authority, *, now: datetime, days: int) -> str:
    """Return a certificate of ``cell`` in PEM, for the signing request ``text``.

    Of the request only its key is used.  The certificate expires no later than that of the authority.

    :raises cells.exceptions.CertificateError: the request cannot be read (reason ``no_request``), its signature is
        wrong (``damaged``), it names another cell (``wrong_cell``), or the authority has expired (``expired``)
    """
    by.certificate.check_is_valid(now)
    try:
        found = x509.load_pem_x509_csr(text)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        key = found.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        raise exceptions.CertificateError(
            "This is no signing request of a cell: use the file that 'cells cert request' writes in the cell.",
            reason="no_request",
        ) from None
    if not found.is_signature_valid:
        raise exceptions.CertificateError(
            "The signature of the signing request is wrong: copy the whole text again.", reason="damaged"
        )
    if names != _names(cell):
        found_uris = ", ".join(names.get_values_for_type(x509.UniformResourceIdentifier))
        raise exceptions.CertificateError(
            f"The signing request names {printable.line(found_uris, _MAX_SHOWN) or 'no cell'}, and a request of {cell} "
            f"names {uri(cell)} alone: sign it for the cell that it names, or repeat 'cells cert request' in the cell "
            "with the right --path.",
            cell=str(cell),
            reason="wrong_cell",
        )
    until = min(now + timedelta(days), by.certificate.not_after)
    return _certificate(cell, key, by.name, by.key, (now, until))


def write(files: Mapping[Path, PrivateKey | str], *, force: bool = False) -> None:
    """Write new keys, readable only by this user, and certificates or requests, readable by all users.

    No file is written if one of them cannot be written because it exists.

    :param force: replace existing files
    :raises cells.exceptions.CertificateError: a file exists (reason ``exists``)
    :raises cells.exceptions.ConfigurationError: a file cannot be written
    """
    for file in files:
        with private_files.writing(file):
            exists = file.exists()
        if exists and not force:
            raise exceptions.CertificateError(
                f"{file} exists, and neighbors may rely on it: give another file, or replace it with --force.",
                reason="exists",
            )
    for file, content in files.items():
        with private_files.writing(file):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if isinstance(content, str):
                private_files.write(file, content, mode=0o644)
            else:
                private_files.write(file, _key_text(content), mode=0o600)


_Validity = tuple[datetime, datetime]


def _certificate(
    cell: CellPath, key: CertificatePublicKeyTypes, issuer: x509.Name, issuer_key: PrivateKey, validity: _Validity
) -> str:
    builder = _builder(_subject(cell.last), key, issuer, issuer_key, validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    # Either side dials: each certificate is one of a client and of a server.
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    return _signed(builder.add_extension(both, critical=False).add_extension(_names(cell), critical=False), issuer_key)


def _builder(
    subject: x509.Name,
    key: CertificatePublicKeyTypes,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    validity: _Validity,
) -> x509.CertificateBuilder:
    # The identifiers of the keys let OpenSSL choose between certificates with the same subject, as during a rotation.
    of_issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0] - _CLOCK_DIFFERENCE)
        .not_valid_after(validity[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(of_issuer, critical=False)
    )


def _signed(builder: x509.CertificateBuilder | x509.CertificateSigningRequestBuilder, key: PrivateKey) -> str:
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_MAX_SUBJECT_LENGTH])])


def _names(cell: CellPath) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri(cell))])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_text(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
