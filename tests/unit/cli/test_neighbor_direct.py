"""``cells neighbor``: neighbors with direct links, their addresses and certificates."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cells.certificates import issuing
from cells.path import CellPath
from tests.cases import each
from tests.unit.certificates.made import NOW, read
from tests.unit.cli.conftest import Cells

CHILD = ("--type", "child")
DIRECT = (*CHILD, "--driver", "direct")
URL = "rabbit://user:s3kr3t@h:5672/v"
MASKED = "rabbit://user:***@h:5672/v"
KEY = issuing.new_key()
EAST = CellPath.parse("api!east")
OLD, NEW = (issuing.self_signed(EAST, KEY, now=NOW, days=days) for days in (10, 20))


@pytest.fixture(autouse=True)
def synced(cells: Cells, empty_database: Path) -> None:
    shutil.copyfile(empty_database, cells.directory / "cells.sqlite")


@pytest.fixture
def old(tmp_path: Path) -> str:
    return written(tmp_path / "old.crt", OLD)


@pytest.fixture
def new(tmp_path: Path) -> str:
    return written(tmp_path / "new.crt", NEW)


def written(file: Path, text: str) -> str:
    file.write_text(text)
    return str(file)


def create(cells: Cells, *words: str) -> dict[str, Any]:
    value: dict[str, Any] = cells.succeed("neighbor", "create", "east", *DIRECT, *words, "-f", "json").value
    return value


def change(cells: Cells, *words: str) -> dict[str, Any]:
    value: dict[str, Any] = cells.succeed("neighbor", "set", "east", *words, "-f", "json").value
    return value


def test_a_neighbor_at_addresses(cells: Cells, old: str) -> None:
    row = create(cells, "--address", "10.0.0.5:5680, [fd00::5]:5680", "--address", "m1:1", "--certificate", old)
    assert (row["driver"], row["transport_url"]) == ("direct", "")
    assert (row["addresses"], row["dials_in"]) == ("10.0.0.5:5680,[fd00::5]:5680,m1:1", False)
    assert row["certificates"] == [read(OLD).fingerprint]
    assert cells.succeed("neighbor", "show", "east", "-f", "json").value == row


def test_a_neighbor_that_dials_in(cells: Cells, old: str) -> None:
    row = create(cells, "--dials-in", "--certificate", old)
    assert (row["addresses"], row["dials_in"]) == (None, True)
    assert not change(cells, "--address", "h:1")["dials_in"]
    assert change(cells, "--dials-in")["addresses"] is None


def test_a_new_direct_link_says_who_connects(cells: Cells) -> None:
    error = cells.fail("neighbor", "create", "east", *DIRECT)
    assert "--address" in error
    assert "--dials-in" in error
    assert "--dials-in" in cells.fail("neighbor", "create", "east", *DIRECT, "--address", "h:1", "--dials-in")


def test_certificates_are_replaced_and_removed(cells: Cells, old: str, new: str) -> None:
    create(cells, "--dials-in", "--certificate", old)
    both = [read(OLD).fingerprint, read(NEW).fingerprint]
    assert change(cells, "--certificate", old, "--certificate", new)["certificates"] == both
    assert change(cells, "--certificate", new)["certificates"] == both[1:]
    removed = cells("neighbor", "set", "east", "--certificate", "none", "-f", "json")
    assert removed.value["certificates"] == []
    assert "No connection with east" in removed.err


def test_path_and_further_driver_are_set_and_removed(cells: Cells, old: str) -> None:
    create(cells, "--dials-in", "--certificate", old)
    row = change(cells, "--certificate-path", "api!east", "--also-accept", "rpc")
    assert (row["certificate_path"], row["also_accept"]) == ("api!east", "rpc")
    row = change(cells, "--certificate-path", "none", "--also-accept", "none")
    assert (row["certificate_path"], row["also_accept"]) == (None, None)


@each("output", ["table", "value", "yaml", "json"])
def test_fingerprints_are_shown_instead_of_the_text(cells: Cells, output: str) -> None:
    name = f"n-{output}"
    file = written(cells.directory / output, issuing.self_signed(EAST, issuing.new_key(), now=NOW, days=10))
    cells.succeed("neighbor", "create", name, *DIRECT, "--dials-in", "--certificate", file)
    fingerprint = read(Path(file).read_text()).fingerprint
    for words in (("show", name), ("list",)):
        shown = cells.succeed("neighbor", *words, "-f", output).out
        assert fingerprint[:23] in shown
        assert "BEGIN" not in shown
    shown = cells.succeed("neighbor", "show", name, "-f", output).out
    assert fingerprint in shown
    assert ("CN=east" in shown) == (output == "table")


def test_a_link_moves_from_a_broker_and_back(cells: Cells, old: str) -> None:
    cells.succeed("neighbor", "create", "east", *CHILD, "--transport-url", URL)
    row = change(cells, "--driver", "direct", "--address", "h:1", "--certificate", old, "--also-accept", "rpc")
    assert (row["driver"], row["transport_url"], row["also_accept"]) == ("direct", MASKED, "rpc")
    row = change(cells, "--driver", "rpc", "--also-accept", "direct")
    assert (row["driver"], row["transport_url"], row["addresses"]) == ("rpc", MASKED, "h:1")
    assert row["certificates"] == [read(OLD).fingerprint]


def test_the_url_of_a_direct_link_is_removed_and_set_again(cells: Cells, old: str) -> None:
    create(cells, "--dials-in", "--certificate", old, "--transport-url", URL)
    assert change(cells, "--transport-url", "")["transport_url"] == ""
    assert "transport URL" in cells.fail("neighbor", "set", "east", "--exchange", "nova")
    assert "--transport-url" in cells.fail("neighbor", "set", "east", "--driver", "rpc")
    words = ("--hostname", "h", "--username", "user", "--password", "s3kr3t", "--virtual-host", "v", "--port", "5672")
    row = change(cells, "--driver", "rpc", *words)
    assert (row["driver"], row["transport_url"]) == ("rpc", MASKED)
    cells.fail("neighbor", "set", "east", "--transport-url", "")


@each(
    ("words", "is_remarked"),
    [
        ((), True),
        (("--certificate-path", "api!{name}"), True),
        (("--certificate", "{file}"), False),
    ],
)
def test_a_direct_link_that_accepts_no_connection_is_remarked(
    cells: Cells, old: str, words: tuple[str, ...], is_remarked: bool
) -> None:
    name = f"n{len(words)}{is_remarked}"
    given = [word.format(name=name, file=old) for word in words]
    created = cells("neighbor", "create", name, *DIRECT, "--dials-in", *given)
    assert created.status == 0
    assert (f"No connection with {name}" in created.err) == is_remarked


def test_a_path_is_enough_if_an_authority_is_named(cells: Cells) -> None:
    cells.config_file.write_text(cells.config_file.read_text() + "[cells_direct]\nca = /etc/cells/ca.crt\n")
    create(cells, "--dials-in", "--certificate-path", "api!east")


def test_a_certificate_of_another_cell_is_refused(cells: Cells, old: str, new: str) -> None:
    text = cells.config_file.read_text()
    cells.config_file.write_text(f"{text}[cells_direct]\ncertificate = {new}\n")
    create(cells, "--dials-in", "--certificate", old)
    before = cells.succeed("neighbor", "list", "-f", "json").value
    for words in (("create", "west", *DIRECT, "--dials-in"), ("set", "east")):
        assert "this cell" in cells.fail("neighbor", *words, "--certificate", new)
    assert "that of east" in cells.fail("neighbor", "create", "west", *DIRECT, "--dials-in", "--certificate", old)
    assert cells.succeed("neighbor", "list", "-f", "json").value == before


def test_a_private_key_is_refused_and_not_shown(cells: Cells, tmp_path: Path) -> None:
    key = tmp_path / "cell.key"
    issuing.write({key: KEY})
    for text in (key.read_text(), OLD + key.read_text()):
        file = written(tmp_path / "both.crt", text)
        error = cells.fail("neighbor", "create", "east", *DIRECT, "--dials-in", "--certificate", file)
        assert "private key" in error
        assert key.read_text().splitlines()[1][:20] not in error


@each(
    ("words", "told"),
    [
        (("--address", "h"), "host and port"),
        (("--dials-in", "--certificate", "/nonexistent/east.crt"), "/nonexistent/east.crt"),
        (("--dials-in", "--certificate", "none", "--certificate", "x"), "not both"),
        (("--dials-in", "--certificate-path", "api!west"), "west"),
        (("--dials-in", "--also-accept", "nope"), "direct, memory, rpc"),
    ],
)
def test_bad_input_is_one_line(cells: Cells, words: tuple[str, ...], told: str) -> None:
    assert told in cells.fail("neighbor", "create", "east", *DIRECT, *words)
    assert cells.succeed("neighbor", "list", "-f", "json").value == []
