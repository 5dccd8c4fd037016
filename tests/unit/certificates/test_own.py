"""The own certificate is read together with its key; what cannot work is a named error."""

from __future__ import annotations

from pathlib import Path

import pytest

from cells import exceptions
from cells.certificates import issuing, own
from cells.path import CellPath
from tests.unit.certificates.made import NOW, read

EAST = CellPath.parse("api!east")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    key = issuing.new_key()
    found = tmp_path / "cell.crt", tmp_path / "cell.key"
    issuing.write({found[1]: key, found[0]: issuing.self_signed(EAST, key, now=NOW, days=10)})
    return found


def reason_of(certificate: Path, key: Path) -> str | None:
    with pytest.raises(exceptions.CertificateError) as raised:
        own.read(certificate, key)
    return raised.value.reason


def test_certificate_with_its_key(files: tuple[Path, Path]) -> None:
    certificate, key = files
    assert own.read(certificate, key) == read(certificate.read_text())


def test_key_of_another_certificate(files: tuple[Path, Path]) -> None:
    certificate, key = files
    issuing.write({key: issuing.new_key()}, force=True)
    assert reason_of(certificate, key) == "mismatch"


def test_certificate_of_an_authority(files: tuple[Path, Path]) -> None:
    certificate, key = files
    text = issuing.authority("ca", own.read_key(key), now=NOW, days=1)
    issuing.write({certificate: text}, force=True)
    assert reason_of(certificate, key) == "authority"


def test_missing_files(files: tuple[Path, Path]) -> None:
    for file in files:
        file.unlink()
        assert reason_of(*files) == "missing"


def test_key_that_other_users_can_read_names_the_command_that_replaces_it(files: tuple[Path, Path]) -> None:
    files[1].chmod(0o640)
    with pytest.raises(exceptions.ConfigurationError, match="make it --force"):
        own.read_key(files[1], "make it")
    with pytest.raises(exceptions.ConfigurationError):
        own.read(*files)
