"""Unusable files and certificates are named errors before any connection."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from cells import exceptions
from cells.certificates import issuing
from cells.drivers.direct.tls_error import TLSError
from cells.drivers.direct.trust import Trust
from tests.cases import each
from tests.unit.certificates.made import NOW, authority
from tests.unit.drivers.direct.identities import Cell


@pytest.fixture
def east(tmp_path: Path) -> Cell:
    return Cell(tmp_path, "api!east")


def reason_of(certificate: Path, key: Path) -> str | None:
    with pytest.raises(exceptions.CertificateError) as raised:
        Trust(certificate, key, {})
    return raised.value.reason


def test_key_of_another_certificate(east: Cell, tmp_path: Path) -> None:
    west = Cell(tmp_path, "api!west")
    assert reason_of(east.certificate_file, west.key_file) == "mismatch"


def test_missing_files(east: Cell, tmp_path: Path) -> None:
    assert reason_of(tmp_path / "nowhere", east.key_file) == "missing"
    assert reason_of(east.certificate_file, tmp_path / "nowhere") == "missing"


def test_files_in_each_other_s_place(east: Cell) -> None:
    assert reason_of(east.key_file, east.certificate_file) == "private_key"


@each(
    ("content", "reason"),
    [(b"", "no_certificate"), (b"hello", "no_certificate"), (b"-----BEGIN CERTIFICATE-----\n", "damaged")],
)
def test_damaged_certificate(east: Cell, content: bytes, reason: str) -> None:
    east.certificate_file.write_bytes(content)
    assert reason_of(east.certificate_file, east.key_file) == reason


def test_damaged_key(east: Cell) -> None:
    east.key_file.write_bytes(east.key_file.read_bytes()[:100])
    assert reason_of(east.certificate_file, east.key_file) == "no_key"


def test_own_certificate_of_an_authority(east: Cell) -> None:
    east.certificate_file.write_text(issuing.authority("east", east.key, now=NOW, days=1))
    assert reason_of(east.certificate_file, east.key_file) == "authority"


def test_encrypted_key_asks_nobody_for_its_password(east: Cell) -> None:
    protection = BestAvailableEncryption(b"password")
    east.key_file.write_bytes(east.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
    assert reason_of(east.certificate_file, east.key_file) == "encrypted_key"


def test_key_that_other_users_can_read(east: Cell) -> None:
    east.key_file.chmod(0o640)
    with pytest.raises(exceptions.ConfigurationError):
        east.trusting()


def test_directory_in_place_of_a_file(east: Cell, tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        Trust(tmp_path, east.key_file, {})


def test_registered_certificate_of_an_authority(east: Cell) -> None:
    with pytest.raises(exceptions.CertificateError) as raised:
        Trust(east.certificate_file, east.key_file, {"west": [authority().certificate]})
    assert raised.value.reason == "authority"


def test_certificate_of_a_cell_in_place_of_an_authority(east: Cell) -> None:
    with pytest.raises(exceptions.CertificateError) as raised:
        east.trusting(authorities=[east.certificate])
    assert raised.value.reason == "no_authority"


def test_two_neighbors_with_the_path_that_a_certificate_names(east: Cell, tmp_path: Path) -> None:
    ca = authority()
    west = Cell(tmp_path, "api!west", signed_by=ca)
    paths = {"west": "api!west", "north": "api!west"}
    trust = Trust(east.certificate_file, east.key_file, {}, [ca.certificate], paths)
    with pytest.raises(TLSError) as raised:
        trust.neighbor_of(west.certificate.der)
    assert raised.value.reason == "shared_certificate"
