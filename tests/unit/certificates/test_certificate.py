"""Certificates are read and checked; each unusable text is a named error."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from cells import exceptions
from cells.certificates import certificate, issuing
from cells.certificates.certificate import Certificate
from cells.path import CellPath
from tests.cases import each
from tests.unit.certificates.made import DAY, NOW, authority, read

KEY = issuing.new_key()
EAST = CellPath.parse("api!east")
PEM = issuing.self_signed(EAST, KEY, now=NOW, days=10)
CERTIFICATE = read(PEM)


def reason_of(text: str | bytes) -> str | None:
    with pytest.raises(exceptions.CertificateError) as raised:
        certificate.read(text.encode() if isinstance(text, str) else text, "the test")
    return raised.value.reason


def test_facts_of_a_certificate() -> None:
    assert CERTIFICATE.paths == ("api!east",)
    assert CERTIFICATE.subject == "CN=east"
    assert CERTIFICATE.is_authority is False
    assert CERTIFICATE.not_before < NOW
    assert [CERTIFICATE.days_left(NOW + days * DAY) for days in (0, 9.5, 10.5)] == [9, 0, -1]
    assert Certificate.from_der(CERTIFICATE.der) == CERTIFICATE


@each("path", ["api!öst!az-1", "a/b?c#d", "%21", "x" * 255])
def test_any_name_of_a_cell_comes_back(path: str) -> None:
    cell = CellPath.parse(path)
    assert read(issuing.self_signed(cell, KEY, now=NOW, days=1)).paths == (path,)


def test_fingerprint_is_that_of_openssl(tmp_path: Path) -> None:
    Path(tmp_path, "east.crt").write_text(PEM)
    command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", tmp_path / "east.crt"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("there is no command openssl")
    assert shown.strip().partition("=")[2] == CERTIFICATE.fingerprint


def test_several_certificates_and_text_between_them() -> None:
    other = issuing.self_signed(EAST, KEY, now=NOW, days=20)
    found = certificate.read(f"first\n{PEM}\nsecond\n{other}".encode(), "the test")
    assert found == [CERTIFICATE, read(other)]


@each(
    ("text", "reason"),
    [
        ("", "no_certificate"),
        ("hello", "no_certificate"),
        (CERTIFICATE.der, "no_certificate"),
        (b"\xff\xfe\x00", "no_certificate"),
        (issuing.request(EAST, KEY), "no_certificate"),
        (PEM[: len(PEM) // 2], "damaged"),
        (PEM.replace("M", "N"), "damaged"),
        ("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n", "damaged"),
    ],
)
def test_text_without_a_certificate(text: str | bytes, reason: str) -> None:
    assert reason_of(text) == reason


def test_private_key_in_place_of_a_certificate_or_beside_it(tmp_path: Path) -> None:
    issuing.write({tmp_path / "key": KEY})
    key = (tmp_path / "key").read_text()
    assert reason_of(key) == reason_of(PEM + key) == "private_key"


def test_file_with_certificates(tmp_path: Path) -> None:
    file = tmp_path / "east.crt"
    file.write_text(PEM)
    assert certificate.read_file(file) == [CERTIFICATE]
    with pytest.raises(exceptions.CertificateError) as raised:
        certificate.read_file(tmp_path / "west.crt")
    assert raised.value.reason == "missing"
    with pytest.raises(exceptions.ConfigurationError):
        certificate.read_file(tmp_path)


@each(("after", "reason"), [(10.1 * DAY, "expired"), (timedelta(hours=-2), "not_yet_valid")])
def test_dates(after: timedelta, reason: str) -> None:
    with pytest.raises(exceptions.CertificateError) as raised:
        CERTIFICATE.check_is_valid(NOW + after)
    assert raised.value.reason == reason


def test_clock_of_the_other_cell_may_be_behind() -> None:
    CERTIFICATE.check_is_valid(NOW - timedelta(minutes=59))


def test_certificate_of_an_authority_is_not_one_of_a_cell() -> None:
    CERTIFICATE.check_is_of_a_cell()
    silent = dataclasses.replace(CERTIFICATE, is_authority=None)
    for refused in (authority().certificate, silent):
        with pytest.raises(exceptions.CertificateError) as raised:
            refused.check_is_of_a_cell()
        assert raised.value.reason == "authority"


def test_two_cells_cannot_have_one_certificate() -> None:
    owners = {CERTIFICATE: "east"}
    CERTIFICATE.check_is_of_one_cell(owners, "east")
    read(issuing.self_signed(EAST, KEY, now=NOW, days=1)).check_is_of_one_cell(owners, "west")
    with pytest.raises(exceptions.CertificateError) as raised:
        read(PEM).check_is_of_one_cell(owners, "west")
    assert (raised.value.reason, raised.value.cell) == ("shared", "west")


def test_issuer_is_the_one_that_signed() -> None:
    ca, other = authority(), authority()
    issued = read(issuing.sign(issuing.request(EAST, KEY).encode(), EAST, ca, now=NOW, days=5))
    assert issued.is_issued_by([other.certificate, ca.certificate])
    assert not issued.is_issued_by([other.certificate])
    assert not issued.is_issued_by([])
    assert not CERTIFICATE.is_issued_by([ca.certificate])


def test_text_of_another_cell_is_safe_for_a_terminal() -> None:
    hostile = read(issuing.authority("\x1b[2J\u202e\n", KEY, now=NOW, days=1))
    assert "\x1b" in hostile.subject
    assert str(hostile).isprintable()


def test_changed_bytes_are_a_certificate_or_a_named_error() -> None:
    ca, random = authority().certificate, Random(12)
    for _ in range(300):
        changed = bytearray(CERTIFICATE.der)
        changed[random.randrange(len(changed))] = random.randrange(256)
        with contextlib.suppress(exceptions.CertificateError):
            assert not Certificate.from_der(bytes(changed)).is_issued_by([ca])
