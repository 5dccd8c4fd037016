"""``cells key``: create, show and register keys, with only a configuration file."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from cells.brokerless import key_files
from cells.brokerless.keys import KeyStore
from cells.cli import key as key_command
from tests.cases import each
from tests.unit.cli.conftest import Cells

EAST = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#: 32 bytes that begin so that their text begins with a sign
DASH, AT = (z85.encode(z85.decode(sign + "0000") + bytes(28)).decode() for sign in "-@")


@pytest.fixture
def keys_dir(cells: Cells) -> Path:
    return configure(cells, "api")


def configure(cells: Cells, name: str | None) -> Path:
    directory = cells.directory / "keys"
    cells.config_file.write_text(
        (f"[cells]\nname = {name}\n" if name else "") + f"[oslo_messaging_zmq]\nkeys_dir = {directory}\n"
    )
    return directory


def test_create_prints_the_command_for_other_cells(cells: Cells, keys_dir: Path) -> None:
    out = cells.succeed("key", "create").out
    key = KeyStore(keys_dir).own()[0].decode()
    assert KeyStore(keys_dir).own()[1].decode() not in out
    assert str(keys_dir) in out
    assert shlex.split(out.splitlines()[-1]) == ["cells", "key", "add", "api", key]
    assert cells.succeed("key", "show", "-f", "value").out == f"{key}\n"
    assert cells.succeed("key", "show", "-f", "json").value == {"public_key": key}


def test_create_in_a_cell_without_a_name(cells: Cells) -> None:
    configure(cells, None)
    assert "cells key add NAME '" in cells.succeed("key", "create").out


def test_create_replaces_only_with_force(cells: Cells, keys_dir: Path) -> None:
    cells.succeed("key", "create")
    key = KeyStore(keys_dir).own_public()
    assert "--force" in cells.fail("key", "create")
    assert KeyStore(keys_dir).own_public() == key
    cells.succeed("key", "create", "--force")
    assert KeyStore(keys_dir).own_public() != key


@pytest.mark.usefixtures("keys_dir")
def test_add_list_and_delete(cells: Cells) -> None:
    assert cells.succeed("key", "list", "-f", "json").value == []
    assert "Registered the key of east" in cells.succeed("key", "add", "east", EAST).out
    cells.succeed("key", "add", "az-1", zmq.curve_keypair()[0].decode().replace("-", "0"))
    assert [row["name"] for row in cells.succeed("key", "list", "-f", "json").value] == ["az-1", "east"]
    assert cells.succeed("key", "list", "-f", "json").value[1]["public_key"] == EAST
    cells.succeed("key", "delete", "east", "az-1")
    assert cells.succeed("key", "list", "-f", "json").value == []


@pytest.mark.usefixtures("keys_dir")
def test_add_reports_a_replaced_key(cells: Cells) -> None:
    cells.succeed("key", "add", "east", EAST)
    assert "Registered" in cells.succeed("key", "add", "east", EAST).out
    assert "Replaced" in cells.succeed("key", "add", "east", EAST.swapcase()).out


@pytest.mark.usefixtures("keys_dir")
@pytest.mark.parametrize("text", [EAST, f"{EAST}\n", f"\n  {EAST}\r\n", f'curve\n    public-key = "{EAST}"\n'])
def test_key_from_stdin_or_a_file(cells: Cells, tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    cells.succeed("key", "add", "one", "-", stdin=text)
    cells.succeed("key", "add", "two", f"@{file}")
    assert {row["public_key"] for row in cells.succeed("key", "list", "-f", "json").value} == {EAST}


@pytest.mark.usefixtures("keys_dir")
def test_file_with_the_key_of_a_cell(cells: Cells, tmp_path: Path) -> None:
    east = KeyStore(tmp_path / "east")
    east.create()
    cells.succeed("key", "add", "east", f"@{east.directory}/own.key")
    assert cells.succeed("key", "list", "-f", "json").value[0]["public_key"] == east.own_public().decode()


@pytest.mark.usefixtures("keys_dir")
def test_key_that_begins_with_a_sign(cells: Cells) -> None:
    cells.succeed("key", "add", "at", AT)
    cells.succeed("key", "add", "--", "dash", DASH)
    assert [row["public_key"] for row in cells.succeed("key", "list", "-f", "json").value] == [AT, DASH]


def test_length_of_a_key_is_the_same_everywhere() -> None:
    assert key_command.KEY_LENGTH == key_files.KEY_LENGTH == len(EAST)


@each(
    ("words", "told"),
    [
        (("show",), "cells key create"),
        *((("add", "east", text), "40 characters") for text in (EAST[1:], "'" * 40, "-")),
        (("add", "east", "@/nowhere/at-all"), "/nowhere/at-all: No such file"),
        *((("add", "east", "@/"), "Is a directory"), (("add", "east", "@a\0b"), "a\\u0000b")),
        *((("add", "a/b", EAST), "name of a file"), (("add", "a!b", EAST), "'!'")),
        (("delete", "east"), "'east'"),
    ],
)
def test_bad_input_is_one_line(cells: Cells, keys_dir: Path, words: tuple[str, ...], told: str) -> None:
    # One of several names may be wrong, so a name that is unknown is a partial failure.
    assert told in cells.fail("key", *words, status=1 if words[0] == "delete" else 2)
    assert KeyStore(keys_dir).names() == []


def test_own_key_is_refused(cells: Cells, keys_dir: Path) -> None:
    cells.succeed("key", "create")
    own = KeyStore(keys_dir).own_public().decode()
    assert "this cell" in cells.fail("key", "add", "--", "east", own)


@each("words", [("add", "east"), ("add",), ("delete",), (), ("create", "x")])
def test_a_wrong_command_line_is_status_2(cells: Cells, words: tuple[str, ...]) -> None:
    cells.fail("key", *words, status=2)


@pytest.mark.usefixtures("keys_dir")
def test_delete_names_unknown_names_and_deletes_the_others(cells: Cells) -> None:
    cells.succeed("key", "add", "east", EAST)
    result = cells("key", "delete", "west", "east")
    assert (result.status, result.out) == (1, "")
    assert "'west'" in result.err
    assert cells.succeed("key", "list", "-f", "json").value == []


def test_damaged_key_does_not_hide_the_others(cells: Cells, keys_dir: Path) -> None:
    for name in ("east", "west"):
        cells.succeed("key", "add", name, EAST)
    (keys_dir / "known" / "east.key").write_text("")
    result = cells("key", "list", "-f", "json")
    assert result.status == 1
    assert "east.key" in result.err
    assert [row["name"] for row in result.value] == ["west"]


@pytest.mark.parametrize("spoil", [lambda path: path.chmod(0o777), lambda path: (path / "own.key").write_text("")])
def test_insecure_or_damaged_keys_are_refused(cells: Cells, keys_dir: Path, spoil: Callable[[Path], object]) -> None:
    cells.succeed("key", "create")
    spoil(keys_dir)
    if (keys_dir / "own.key").stat().st_size:
        assert "chmod" in cells.fail("key", "list")
        assert "chmod" in cells.fail("key", "add", "east", EAST)
    else:
        assert "damaged" in cells.fail("key", "show")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_key_of_another_user_can_be_shown(cells: Cells, keys_dir: Path) -> None:
    cells.succeed("key", "create")
    os.chown(keys_dir / "own.key_secret", 12345, -1)
    assert len(cells.succeed("key", "show", "-f", "value").out.strip()) == len(EAST)
