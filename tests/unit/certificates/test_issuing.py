"""Keys and certificates are made, signed and written; a private key stays private."""

from __future__ import annotations

import os
import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from cells import exceptions
from cells.certificates import issuing
from cells.path import CellPath
from tests.cases import each
from tests.unit.certificates.made import DAY, NOW, authority, read

EAST, WEST = CellPath.parse("api!east"), CellPath.parse("api!west")
KEY = issuing.new_key()
REQUEST = issuing.request(EAST, KEY).encode()
# The last byte belongs to the signature.
_DER = x509.load_pem_x509_csr(REQUEST).public_bytes(Encoding.DER)
FORGED = (
    ssl.DER_cert_to_PEM_cert(_DER[:-1] + bytes([_DER[-1] ^ 1])).replace("CERTIFICATE", "CERTIFICATE REQUEST").encode()
)


def pem(key: issuing.PrivateKey, password: bytes | None = None) -> bytes:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def test_signed_certificate_names_the_cell() -> None:
    ca = authority()
    found = read(issuing.sign(REQUEST, EAST, ca, now=NOW, days=10))
    assert found.paths == ("api!east",)
    assert found.is_issued_by([ca.certificate])
    found.check_is_of_a_cell()
    found.check_is_valid(NOW)


def test_signed_certificate_does_not_outlive_its_authority() -> None:
    ca = authority()
    found = read(issuing.sign(REQUEST, EAST, ca, now=NOW, days=1000))
    assert found.not_after == ca.certificate.not_after


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_authority_of_the_operator_may_have_a_key_of_another_kind(kind: str) -> None:
    key: issuing.PrivateKey
    key = rsa.generate_private_key(65537, 1024) if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
    ca = issuing.Authority(read(issuing.authority("ca", key, now=NOW, days=10)), issuing.read_key(pem(key), "the test"))
    found = read(issuing.sign(REQUEST, EAST, ca, now=NOW, days=1))
    assert found.is_issued_by([ca.certificate])


@each(
    ("text", "cell", "reason"),
    [
        (REQUEST, WEST, "wrong_cell"),
        (FORGED, EAST, "damaged"),
        (REQUEST[:200], EAST, "no_request"),
        (b"", EAST, "no_request"),
        (issuing.self_signed(EAST, KEY, now=NOW, days=1).encode(), EAST, "no_request"),
    ],
)
def test_request_that_is_not_signed(text: bytes, cell: CellPath, reason: str) -> None:
    with pytest.raises(exceptions.CertificateError) as raised:
        issuing.sign(text, cell, authority(), now=NOW, days=1)
    assert raised.value.reason == reason


def test_expired_authority_does_not_sign() -> None:
    with pytest.raises(exceptions.CertificateError) as raised:
        issuing.sign(REQUEST, EAST, authority(now=NOW - 200 * DAY), now=NOW, days=1)
    assert raised.value.reason == "expired"


def test_cell_is_no_authority_and_a_key_of_another_certificate_does_not_sign() -> None:
    ca = authority()
    own = read(issuing.self_signed(EAST, KEY, now=NOW, days=1))
    for certificate, reason in ((own, "no_authority"), (ca.certificate, "mismatch")):
        with pytest.raises(exceptions.CertificateError) as raised:
            issuing.Authority(certificate, KEY)
        assert raised.value.reason == reason


def test_private_key_is_private_and_the_certificate_is_not(tmp_path: Path) -> None:
    key_file, certificate_file = tmp_path / "new" / "cell.key", tmp_path / "new" / "cell.crt"
    previous = os.umask(0)
    try:
        issuing.write({key_file: KEY, certificate_file: "certificate"})
    finally:
        os.umask(previous)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (key_file.parent, key_file, certificate_file)]
    assert modes == [0o700, 0o600, 0o644]
    assert pem(issuing.read_key(key_file.read_bytes(), "the test")) == pem(KEY)


def test_files_are_replaced_only_with_force(tmp_path: Path) -> None:
    key_file, certificate_file = tmp_path / "cell.key", tmp_path / "cell.crt"
    certificate_file.write_text("old")
    with pytest.raises(exceptions.CertificateError) as raised:
        issuing.write({key_file: KEY, certificate_file: "new"})
    assert raised.value.reason == "exists"
    assert os.listdir(tmp_path) == ["cell.crt"]
    assert certificate_file.read_text() == "old"
    issuing.write({key_file: KEY, certificate_file: "new"}, force=True)
    assert certificate_file.read_text() == "new"


def test_file_that_cannot_be_written_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(exceptions.ConfigurationError):
        issuing.write({tmp_path / "file" / "cell.key": KEY})
    assert os.listdir(tmp_path) == ["file"]


@each(
    ("text", "reason"),
    [
        (pem(KEY, b"password"), "encrypted_key"),
        (pem(KEY)[:100], "no_key"),
        (b"", "no_key"),
        (issuing.self_signed(EAST, KEY, now=NOW, days=1).encode(), "no_key"),
    ],
)
def test_text_without_a_usable_key(text: bytes, reason: str) -> None:
    with pytest.raises(exceptions.CertificateError) as raised:
        issuing.read_key(text, "the test")
    assert raised.value.reason == reason
    assert raised.value.__cause__ is None


def test_new_keys_differ_and_are_of_p_256() -> None:
    keys = [issuing.new_key(), issuing.new_key()]
    assert pem(keys[0]) != pem(keys[1])
    assert all(isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1" for key in keys)


def test_validity_starts_in_the_past_and_lasts_for_the_days() -> None:
    found = read(issuing.self_signed(EAST, KEY, now=NOW, days=30))
    assert NOW - timedelta(hours=2) < found.not_before < NOW
    assert found.days_left(NOW) == 29
