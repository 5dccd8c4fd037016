"""``cells cert``: create, request, sign and show certificates, with files alone."""

from __future__ import annotations

import os
import shlex
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cells.certificates import issuing, own
from cells.certificates.certificate import Certificate, read_file
from cells.path import CellPath
from tests.cases import each
from tests.unit.cli.conftest import Cells

NOW = datetime.now(timezone.utc)
EDGE = "api!east!edge7"


@pytest.fixture
def home(cells: Cells) -> Path:
    """The directory of the cell's files."""
    return configure(cells, "east")


def configure(cells: Cells, name: str | None) -> Path:
    directory = cells.directory / "state"
    named = f"name = {name}\n" if name else ""
    cells.config_file.write_text(f"[DEFAULT]\nstate_path = {directory}\n[cells]\n{named}")
    return directory


def only(file: Path) -> Certificate:
    [found] = read_file(file)
    return found


def write(home: Path, days: int, *, now: datetime = NOW) -> Certificate:
    """Write a certificate of the cell, made at another time."""
    key = issuing.new_key()
    text = issuing.self_signed(CellPath.parse("east"), key, now=now, days=days)
    issuing.write({home / "cell.key": key, home / "cell.crt": text})
    return only(home / "cell.crt")


def test_create_makes_a_pair_that_a_manager_can_use(cells: Cells, home: Path) -> None:
    out = cells.succeed("cert", "create").out
    found = own.read(home / "cell.crt", home / "cell.key")
    assert found.paths == ("east",)
    assert found.days_left(NOW) == 365
    assert found.fingerprint in out
    assert stat.S_IMODE((home / "cell.key").stat().st_mode) == 0o600
    assert shlex.split(out.splitlines()[-1]) == ["cells", "neighbor", "set", "east", "--certificate", "cell.crt"]


def test_no_command_prints_a_private_key(cells: Cells, home: Path) -> None:
    printed = [cells.succeed("cert", *words).out for words in (("create", "--ca"), ("request",))]
    printed.append(cells.succeed("cert", "sign", f"{home}/cell.csr", "--path", "east").out)
    printed.append(cells.fail("cert", "show", f"{home}/cell.key"))
    secrets = {line for name in ("cell.key", "authority.key") for line in (home / name).read_text().splitlines()}
    assert not any(line in text for line in secrets for text in printed if line.isalnum())
    assert "PRIVATE KEY-----" not in "".join(printed)


def test_create_with_a_path_and_days(cells: Cells, home: Path) -> None:
    out = cells.succeed("cert", "create", "--path", EDGE, "--days", "40").out
    found = only(home / "cell.crt")
    assert (found.paths, found.days_left(NOW)) == ((EDGE,), 40)
    assert "cells neighbor set edge7 " in out


def test_create_in_other_files_leaves_those_in_use_alone(cells: Cells, home: Path) -> None:
    cells.succeed("cert", "create")
    used = only(home / "cell.crt")
    new = home / "new.crt", home / "new.key"
    cells.succeed("cert", "create", "--certificate", str(new[0]), "--key", str(new[1]))
    assert own.read(*new) != used
    assert only(home / "cell.crt") == used


def test_existing_files_are_replaced_only_with_force(cells: Cells, home: Path) -> None:
    for command, file in (("create", "cell.crt"), ("request", "cell.csr")):
        cells.succeed("cert", command, "--force")
        before = (home / file).read_text(), (home / "cell.key").read_text()
        assert "--force" in cells.fail("cert", command)
        assert ((home / file).read_text(), (home / "cell.key").read_text()) == before
        cells.succeed("cert", command, "--force")
        assert (home / file).read_text() != before[0]


def test_request_is_signed_by_the_authority_of_another_cell(cells: Cells, home: Path) -> None:
    cells.succeed("cert", "create", "--ca")
    out = cells.succeed("cert", "request", "--path", EDGE).out
    assert shlex.split(out.splitlines()[-2]) == ["cells", "cert", "sign", "cell.csr", "--path", EDGE]
    signed = cells.succeed("cert", "sign", f"{home}/cell.csr", "--path", EDGE, "--days", "20").out
    found = own.read(home / "cell.crt", home / "cell.key")
    assert found.is_issued_by([only(home / "authority.crt")])
    assert (found.paths, found.days_left(NOW)) == ((EDGE,), 20)
    assert found.fingerprint in signed


def test_authority_in_other_files(cells: Cells, home: Path) -> None:
    files = [str(home / name) for name in ("ca.crt", "ca.key")]
    cells.succeed("cert", "create", "--ca", "--certificate", files[0], "--key", files[1], "--days", "50")
    cells.succeed("cert", "request")
    words = ("--path", "east", "--ca-certificate", files[0], "--ca-key", files[1])
    cells.succeed("cert", "sign", f"{home}/cell.csr", *words, "--certificate", f"{home}/out.crt")
    authority = only(home / "ca.crt")
    assert only(home / "out.crt").is_issued_by([authority])
    assert only(home / "out.crt").not_after == authority.not_after


def test_request_and_certificate_through_a_pipe(cells: Cells, home: Path) -> None:
    cells.succeed("cert", "create", "--ca")
    cells.succeed("cert", "request")
    request = (home / "cell.csr").read_text()
    text = cells.succeed("cert", "sign", "-", "--path", "east", stdin=request).out
    (home / "cell.crt").write_text(text)
    assert own.read(home / "cell.crt", home / "cell.key").paths == ("east",)


def test_path_of_a_request_is_not_trusted(cells: Cells, home: Path) -> None:
    cells.succeed("cert", "create", "--ca")
    cells.succeed("cert", "request", "--path", EDGE)
    error = cells.fail("cert", "sign", f"{home}/cell.csr", "--path", "api!east")
    assert f"cells:{EDGE}" in error
    assert not (home / "cell.crt").exists()
    cells.fail("cert", "sign", f"{home}/cell.csr")


def test_key_of_an_authority_that_others_can_read_signs_nothing(cells: Cells, home: Path) -> None:
    cells.succeed("cert", "create", "--ca")
    cells.succeed("cert", "request")
    (home / "authority.key").chmod(0o644)
    assert "chmod 600" in cells.fail("cert", "sign", f"{home}/cell.csr", "--path", "east")


def test_show_has_the_values_of_the_own_certificate(cells: Cells, home: Path) -> None:
    cells.succeed("cert", "create", "--path", "api!east", "--days", "60")
    found = only(home / "cell.crt")
    assert cells.succeed("cert", "show", "-f", "json").value == {
        "subject": "CN=east",
        "paths": ["api!east"],
        "fingerprint": found.fingerprint,
        "not_before": f"{found.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{found.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "days_left": 59,
        "is_authority": False,
        "certificates_in_file": 1,
    }
    assert found.fingerprint in cells.succeed("cert", "show").out


def test_show_needs_no_configuration_for_a_file(cells: Cells, home: Path) -> None:
    write(home, 100)
    result = cells.bare("cert", "show", f"{home}/cell.crt", "-f", "json")
    assert (result.status, result.value["subject"]) == (0, "CN=east")


def test_show_selects_one_of_several_certificates(cells: Cells, home: Path) -> None:
    cells.succeed("cert", "create", "--ca")
    cells.succeed("cert", "create")
    bundle = home / "bundle.pem"
    bundle.write_text((home / "cell.crt").read_text() + (home / "authority.crt").read_text())
    for number, is_authority in (("1", False), ("2", True)):
        shown = cells.succeed("cert", "show", str(bundle), "--number", number, "-f", "json").value
        assert (shown["is_authority"], shown["certificates_in_file"]) == (is_authority, 2)
    assert "2 certificates" in cells.fail("cert", "show", str(bundle), "--number", "3")


@each(("made", "days", "days_left"), [(NOW, 29, 28), (NOW - timedelta(40), 10, -31), (NOW + timedelta(2), 90, 91)])
def test_show_of_a_certificate_that_needs_attention_is_degraded(
    cells: Cells, tmp_path: Path, made: datetime, days: int, days_left: int
) -> None:
    home = configure(cells, "east") / made.isoformat()
    write(home, days, now=made)
    result = cells.degraded("cert", "show", f"{home}/cell.crt", "-f", "json")
    assert result.value["days_left"] == days_left
    assert result.err.count("\n") == 1


@each(
    ("words", "named"),
    [
        (("show",), "cells cert create"),
        (("show", "/nowhere/at.crt"), "/nowhere/at.crt"),
        (("show", "/"), "ConfigurationError"),
        (("sign", "/nowhere/at.csr", "--path", "east"), "/nowhere/at.csr"),
        (("sign", "-", "--path", "east"), "cells cert create --ca"),
        (("sign", "/nowhere/at.csr", "--path", "east", "--ca-key", "/nowhere/at.key"), "cells cert request"),
        (("sign", "-", "--path", "a!!b"), "--path"),
        (("create", "--days", "0"), "--days"),
        (("create", "--days", "36501"), "--days"),
        (("create", "--path", "east west"), "--path"),
        (("create", "--certificate", "/x", "--key", "/x"), "/x"),
        (("create", "--certificate", "/dev/null/x", "--key", "/dev/null/y"), "/dev/null"),
    ],
)
@pytest.mark.usefixtures("home")
def test_bad_input_is_one_line(cells: Cells, words: tuple[str, ...], named: str) -> None:
    assert named in cells.fail("cert", *words)


@pytest.mark.usefixtures("home")
def test_text_that_is_no_request_is_named(cells: Cells) -> None:
    cells.succeed("cert", "create", "--ca")
    assert "CertificateError" in cells.fail("cert", "sign", "-", "--path", "east", stdin="no request")


def test_cell_without_a_name_needs_a_path(cells: Cells) -> None:
    home = configure(cells, None)
    assert "--path" in cells.fail("cert", "create")
    assert not os.path.exists(home)
    cells.succeed("cert", "create", "--path", "east")
