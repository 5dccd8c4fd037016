"""``cells neighbor``: registration, and masked passwords."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path
from typing import NamedTuple

import oslo_messaging
import pytest
from oslo_config import cfg

from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from cells.transport import url as transport_url
from tests.cases import each
from tests.unit.cli.conftest import Cells
from tests.unit.db.conftest import configuration

SECRET = "p@:?%#!ü"
URL = "rabbit://user:s3kr3t@h1:5672,user:s3kr3t@[::1]:5673/v"
MASKED = "rabbit://user:***@h1:5672,user:***@[::1]:5673/v"
FORMATS = ("json", "table", "value", "yaml")
CHILD = ("--type", "child")

EAST = {
    "name": "east",
    "transport_url": MASKED,
    "type": "child",
    "driver": "rpc",
    "api_url": None,
    "weight_offset": 0.0,
    "weight_scale": 1.0,
    "version_cap": None,
    "allowed_methods": None,
    "max_foreign_seconds": None,
    "addresses": None,
    "certificates": [],
    "certificate_path": None,
    "also_accept": None,
}
#: What only commands about one neighbor show, of a link without options.
NO_OPTIONS = {"dials_in": False, "exchange": None, "link_options": None}


class Files(NamedTuple):
    """Database files, created once: without a neighbor, and with the neighbor east."""

    empty: Path
    with_east: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Files:
    directory = tmp_path_factory.mktemp("database")
    files = Files(empty_database, directory / "east.sqlite")
    shutil.copyfile(files.empty, files.with_east)
    with contextlib.closing(Database(configuration(directory, f"sqlite:///{files.with_east}"))) as database:
        database.create(Neighbor("east", URL, is_parent=False))
    return files


@pytest.fixture(autouse=True)
def synced(cells: Cells, files: Files) -> None:
    shutil.copyfile(files.empty, cells.directory / "cells.sqlite")


@pytest.fixture
def east(cells: Cells, synced: None, files: Files) -> None:
    shutil.copyfile(files.with_east, cells.directory / "cells.sqlite")


def url_of(cells: Cells, name: str) -> str:
    url: str = cells.succeed("neighbor", "show", name, "--show-secrets", "-f", "json").value["transport_url"]
    return url


def test_create_from_a_url_and_show_it(cells: Cells) -> None:
    words = f"--transport-url {URL} --driver memory --weight-offset -1.5 --weight-scale 2 --api-url http://x".split()
    given = {
        "driver": "memory",
        "api_url": "http://x",
        "weight_offset": -1.5,
        "weight_scale": 2.0,
        "version_cap": "1.1",
    }
    expected = {**EAST, **given}
    assert (
        cells.succeed("neighbor", "create", "east", *CHILD, *words, "--version-cap", "1.1", "-f", "json").value
        == expected | NO_OPTIONS
    )
    assert cells.succeed("neighbor", "show", "east", "-f", "json").value == expected | NO_OPTIONS
    assert cells.succeed("neighbor", "list", "-f", "json").value == [expected]
    assert url_of(cells, "east") == URL


@pytest.mark.usefixtures("east")
@each("output", FORMATS)
def test_passwords_are_masked_in_every_format(cells: Cells, output: str) -> None:
    for words in (("list",), ("show", "east"), ("set", "east", "--weight-scale", "2")):
        assert "s3kr3t" not in cells.succeed("neighbor", *words, "-f", output).out
        assert "s3kr3t" in cells.succeed("neighbor", *words, "--show-secrets", "-f", output).out


def test_create_from_parts(cells: Cells) -> None:
    words = ("--username", "us er", "--password", SECRET, "--virtual-host", "/", "--broker-hosts", "h1:5672,[::1]:5673")
    cells.succeed("neighbor", "create", "api-up", "--type", "parent", *words)
    read = oslo_messaging.TransportURL.parse(cfg.ConfigOpts(), url_of(cells, "api-up"))
    assert [(host.hostname, host.port, host.username, host.password) for host in read.hosts] == [
        ("h1", 5672, "us er", SECRET),
        ("::1", 5673, "us er", SECRET),
    ]
    assert read.virtual_host == "/"


@each(
    ("hosts", "is_remarked"),
    [("127.0.0.1:5570", True), ("localhost:5570,[::1]:5570", True), ("10.0.0.6:5570", False)],
)
def test_a_loopback_address_is_remarked(cells: Cells, hosts: str, is_remarked: bool) -> None:
    created = cells("neighbor", "create", f"n{len(hosts)}", *CHILD, "--transport-url", f"zmq://{hosts}/")
    assert created.status == 0
    assert ("loopback" in created.err) is is_remarked


@pytest.mark.usefixtures("east")
@each("url", ["rabbit://u@h1/v", "rabbit://other:login@BUS:5672/own", "rabbit://u:p@box/"])
def test_a_url_that_does_not_reach_the_neighbor_is_remarked(cells: Cells, url: str) -> None:
    cells.configure(mailbox_url="rabbit://n:p@box:5672")
    text = cells.config_file.read_text()
    cells.config_file.write_text(f"[DEFAULT]\ntransport_url = rabbit://u:p@bus/own\n{text}")
    name = f"n{len(url)}"
    assert f"transport URL of {name}" in cells("neighbor", "create", name, *CHILD, "--transport-url", url).err
    assert "transport URL of east" in cells("neighbor", "set", "east", "--transport-url", url).err
    cells.succeed("neighbor", "set", "east", "--weight-scale", "2")


def test_login_with_a_slash_is_refused(cells: Cells) -> None:
    words = ("--username", "u", "--password", "s3k/r3t", "--hostname", "h")
    error = cells.fail("neighbor", "create", "east", *CHILD, *words)
    assert "password with a '/'" in error
    assert "s3k" not in error


@pytest.mark.parametrize("option", ["--password", "--transport-url"])
def test_secrets_may_come_from_stdin(cells: Cells, option: str) -> None:
    words = ("--username", "u", "--hostname", "h") if option == "--password" else ()
    secret = " s3kr3t @" if option == "--password" else URL
    cells.succeed("neighbor", "create", "east", *CHILD, *words, option, "-", stdin=secret + "\nmore\n")
    if option == "--password":
        assert transport_url.parse(url_of(cells, "east")).hosts[0].password == secret
    else:
        assert url_of(cells, "east") == URL
    assert "standard input" in cells.fail("neighbor", "set", "east", option, "-", stdin="")


@pytest.mark.usefixtures("east")
@pytest.mark.parametrize(
    ("words", "column", "value"),
    [
        *((("--type", "parent"), "type", "parent"), (("--driver", "memory"), "driver", "memory")),
        (("--weight-offset", "-2"), "weight_offset", -2.0),
        (("--weight-scale", "0"), "weight_scale", 0.0),
        (("--api-url", "http://y"), "api_url", "http://y"),
        *((("--version-cap", cap), "version_cap", cap.strip().lower()) for cap in ("1.0", "auto", " Stein ")),
        (("--transport-url", "rabbit://u:p@h/"), "transport_url", "rabbit://u:***@h/"),
        (("--username", "w"), "transport_url", "rabbit://w:***@h1:5672,w:***@[::1]:5673/v"),
        (("--hostname", "h"), "transport_url", "rabbit://user:***@h/v"),
        (("--hostname", "h", "--port", "1"), "transport_url", "rabbit://user:***@h:1/v"),
        (("--virtual-host", ""), "transport_url", "rabbit://user:***@h1:5672,user:***@[::1]:5673/"),
        (("--broker-hosts", "a,b:1"), "transport_url", "rabbit://user:***@a,user:***@b:1/v"),
    ],
)
def test_set_changes_only_the_given_columns(cells: Cells, words: tuple[str, ...], column: str, value: object) -> None:
    after = cells.succeed("neighbor", "set", "east", *words, "-f", "json").value
    assert after == {**EAST, **NO_OPTIONS, column: value}
    assert cells.succeed("neighbor", "show", "east", "-f", "json").value == after


def test_options_of_the_link_are_set_shown_and_removed(cells: Cells) -> None:
    """They are kept in the URL, which the driver reads (case A2)."""
    words = ("--transport-url", f"{URL}?ssl=true", "--exchange", "nova", "--link-option", "ssl_ca_file=/ca&x.pem")
    created = cells.succeed("neighbor", "create", "east", *CHILD, *words, "-f", "json").value
    assert (created["exchange"], created["link_options"]) == ("nova", "ssl=true, ssl_ca_file=/ca&x.pem")
    assert url_of(cells, "east").startswith(f"{URL}?")
    words = ("--exchange", "", "--link-option", "ssl=", "--link-option", "heartbeat_rate=3", "--hostname", "h")
    changed = cells.succeed("neighbor", "set", "east", *words, "-f", "json").value
    assert (changed["exchange"], changed["link_options"]) == (None, "heartbeat_rate=3, ssl_ca_file=/ca&x.pem")
    assert changed == cells.succeed("neighbor", "show", "east", "-f", "json").value
    assert cells.succeed("neighbor", "set", "east", "--transport-url", URL, "-f", "json").value == EAST | NO_OPTIONS


@pytest.mark.usefixtures("east")
def test_calls_of_a_neighbor_are_limited_and_allowed_again(cells: Cells) -> None:
    for words, allowed in (
        (("--allow", "ping", "--allow", "inventory:get_*, disk_*"), "ping,inventory:get_*,disk_*"),
        (("--allow", "none"), ""),
        (("--allow", "all"), None),
    ):
        row = cells.succeed("neighbor", "set", "east", *words, "-f", "json").value
        assert row["allowed_methods"] == allowed
    row = cells.succeed("neighbor", "set", "east", "--max-foreign-seconds", "90", "-f", "json").value
    assert row["max_foreign_seconds"] == 90.0
    row = cells.succeed("neighbor", "set", "east", "--max-foreign-seconds", "none", "-f", "json").value
    assert row["max_foreign_seconds"] is None


@pytest.mark.usefixtures("east")
@each("words", [("--allow", ""), ("--allow", "a b"), ("--allow", ":x"), ("--max-foreign-seconds", "soon")])
def test_limits_that_cannot_be_read_are_refused(cells: Cells, words: tuple[str, ...]) -> None:
    cells.fail("neighbor", "set", "east", *words)


@pytest.mark.usefixtures("east")
def test_version_cap_is_removed(cells: Cells) -> None:
    cells.succeed("neighbor", "set", "east", "--version-cap", "1.1")
    assert cells.succeed("neighbor", "set", "east", "--version-cap", "None", "-f", "json").value["version_cap"] is None
    assert cells.succeed("neighbor", "show", "east", "-f", "json").value["version_cap"] is None
    words = (*CHILD, "--transport-url", URL, "--version-cap", "none")
    assert cells.succeed("neighbor", "create", "west", *words, "-f", "json").value["version_cap"] is None


@pytest.mark.usefixtures("east")
@each(
    ("cap", "told"),
    [
        *((cap, "'auto', or 'none'") for cap in ("", "  ")),
        ("9.9", "'9.9' is neither auto, nor a version (1.0, 1.1, 1.2, 1.3, 1.4), nor the name of a release (grizzly,"),
        *((cap, f"'{cap}' is neither") for cap in ("1.10", "1")),
        ("wallaby", "'none'"),
    ],
)
def test_version_cap_that_cannot_be_read_is_refused(cells: Cells, cap: str, told: str) -> None:
    before = cells.succeed("neighbor", "list", "-f", "json").value
    for words in (("create", "x", *CHILD, "--hostname", "h"), ("set", "east")):
        assert told in cells.fail("neighbor", *words, "--version-cap", cap)
    assert cells.succeed("neighbor", "list", "-f", "json").value == before


@pytest.mark.usefixtures("east")
def test_version_cap_of_a_newer_release_is_shown_and_replaced(cells: Cells) -> None:
    with contextlib.closing(sqlite3.connect(cells.directory / "cells.sqlite")) as connection, connection:
        connection.execute("UPDATE cells SET version_cap = '9.9'")
    assert cells.succeed("neighbor", "show", "east", "-f", "json").value["version_cap"] == "9.9"
    assert cells.succeed("neighbor", "set", "east", "--version-cap", "1.3", "-f", "json").value["version_cap"] == "1.3"


@pytest.mark.usefixtures("east")
def test_set_password_keeps_the_rest_of_the_url(cells: Cells) -> None:
    cells.succeed("neighbor", "set", "east", "--password", "n@w")
    assert url_of(cells, "east") == URL.replace("s3kr3t", "n%40w")


@pytest.mark.usefixtures("east")
def test_delete_frees_the_name(cells: Cells) -> None:
    cells.succeed("neighbor", "delete", "east")
    assert cells.succeed("neighbor", "list", "-f", "json").value == []
    cells.succeed("neighbor", "create", "east", "--type", "parent", "--transport-url", URL)


@pytest.mark.usefixtures("east")
def test_delete_names_unknown_names_and_deletes_the_others(cells: Cells) -> None:
    result = cells("neighbor", "delete", "west", "east", "north")
    assert result.status == 1
    assert [line.split()[5] for line in result.err.splitlines()] == ["west;", "north;"]
    assert cells.succeed("neighbor", "list", "-f", "json").value == []


@pytest.mark.usefixtures("east")
@each(
    ("words", "told"),
    [
        (("create", "east", *CHILD, "--hostname", "h"), "already"),
        (("create", "api", *CHILD, "--hostname", "h"), "this cell"),
        (("create", "a!b", *CHILD, "--hostname", "h"), "'!'"),
        (("create", "x", *CHILD), "transport URL"),
        (("create", "x", *CHILD, "--password", "s3kr3t", "--hostname", "h"), "user name"),
        (("create", "x", *CHILD, "--transport-url", URL, "--port", "1"), "--transport-url"),
        (("create", "x", *CHILD, "--transport-url", "u:s3kr3t@h"), "'://'"),
        (("create", "x", *CHILD, "--hostname", "h", "--driver", "nope"), "memory, rpc"),
        (("create", "x", *CHILD, "--hostname", "h", "--port", "0"), "port"),
        (("create", "x", *CHILD, "--hostname", "h", "--link-option", "rabbit_quorum_queues=1"), "rabbit_quorum_queues"),
        (("set", "east", "--link-option", "ssl=perhaps"), "ssl"),
        (("set", "east", "--exchange", "x" * 256), "control_exchange"),
        (("set", "east"), "neighbor east"),
        *((words, "no neighbor west") for words in (("set", "west", *CHILD), ("set", "west", "--port", "1"))),
        *((("show", "west"), "no neighbor west"), (("show", "\udcff"), "no neighbor")),
    ],
)
def test_bad_input_is_one_line(cells: Cells, words: tuple[str, ...], told: str) -> None:
    error = cells.fail("neighbor", *words)
    assert told in error
    assert "s3kr3t" not in error
    assert len(cells.succeed("neighbor", "list", "-f", "json").value) == 1


@each(
    ("words", "told"),
    [
        (("create", "x", "--hostname", "h"), "--type"),
        (("create", "x", "--type", "uncle", "--hostname", "h"), "uncle"),
        (("create", "x", *CHILD, "--hostname", "h", "--weight-scale", "nan"), "nan"),
        (("create", "x", *CHILD, "--hostname", "h", "--port", "p"), "'p'"),
        (("create", "x", *CHILD, "--hostname", "h", "--link-option", "ssl"), "--link-option"),
        *((("show",), "NAME"), (("delete",), "NAME"), ((), "neighbor create")),
    ],
)
def test_a_wrong_command_line_is_status_2(cells: Cells, words: tuple[str, ...], told: str) -> None:
    assert told in cells.fail("neighbor", *words, status=2)


def test_cell_without_a_name_cannot_register_a_neighbor(cells: Cells) -> None:
    cells.config_file.write_text(f"[database]\nconnection = sqlite:///{cells.directory}/cells.sqlite\n")
    assert "[cells] name" in cells.fail("neighbor", "create", "x", *CHILD, "--hostname", "h")


@pytest.mark.usefixtures("east")
@each(
    "words",
    [
        ["create", "x", *CHILD, "--hostname", "h"],
        ["set", "east", "--password", "new"],
        ["delete", "east"],
    ],
)
def test_no_change_in_the_database_if_the_manager_reads_a_file(cells: Cells, tmp_path: Path, words: list[str]) -> None:
    before = cells.succeed("neighbor", "list", "--show-secrets").out
    cells.configure(cells_config=str(tmp_path / "neighbors.json"))
    assert "neighbors.json" in cells.fail("neighbor", *words)
    cells.configure()
    assert cells.succeed("neighbor", "list", "--show-secrets").out == before


@pytest.mark.parametrize("url", ["zmq://h1:5570,[::1]:5571/?peer=east", "zmq+ipc:///run/cells/east", "kombu://u:p@h/v"])
def test_transports_of_all_kinds_are_registered(cells: Cells, url: str) -> None:
    cells.succeed("neighbor", "create", "east", *CHILD, "--transport-url", url)
    assert url_of(cells, "east") == url


@pytest.mark.usefixtures("east")
@each(
    ("url", "told"),
    [
        ("rabit://user:s3kr3t@h/", "fake, kafka, kombu, rabbit, zmq"),
        ("zmq:///", "neighbor's managers"),
        ("zmq://h1/", "port"),
        ("zmq+tcp+ipc:///x", "zmq"),
    ],
)
def test_unusable_transport_is_refused(cells: Cells, url: str, told: str) -> None:
    for words in (("create", "x", *CHILD), ("set", "east")):
        error = cells.fail("neighbor", *words, "--transport-url", url)
        assert told in error
        assert "s3kr3t" not in error
    assert url_of(cells, "east") == URL


def test_scheme_is_checked_only_for_the_rpc_driver(cells: Cells) -> None:
    words = (*CHILD, "--driver", "memory", "--transport-url", "memory://bus/east")
    cells.succeed("neighbor", "create", "east", *words)
    cells.succeed("neighbor", "set", "east", "--transport-url", "memory://other/east")
    assert "'memory'" in cells.fail("neighbor", "set", "east", "--driver", "rpc")
    cells.succeed("neighbor", "set", "east", "--driver", "rpc", "--transport-url", URL)
    assert "'memory'" in cells.fail("neighbor", "set", "east", "--transport-url", "memory://b/c")


@each(
    ("words", "missing"),
    [
        (("--hostname", "h"), ("--username", "--virtual-host")),
        (("--hostname", "h", "--username", "u", "--password", "p"), ()),
        (("--hostname", "h", "--virtual-host", "v"), ("--username",)),
        (("--hostname", "h", "--username", "u", "--password", "p", "--virtual-host", "v"), ()),
        (("--transport-url", "fake://"), ()),
    ],
)
def test_parts_of_the_url_that_are_missing_are_named(
    cells: Cells, files: Files, words: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    """(case E5)"""
    shutil.copyfile(files.empty, cells.directory / "cells.sqlite")
    result = cells("neighbor", "create", "n6", "--type", "child", *words)
    assert result.status == 0
    assert [option for option in ("--username", "--virtual-host") if option in result.err] == list(missing)


@each("virtual_host", ["a%2Fb", "a?b", "a#b"])
def test_a_virtual_host_that_never_works_is_refused(cells: Cells, synced: None, virtual_host: str) -> None:
    """(case E2)"""
    words = ("--type", "child", "--hostname", "h", "--username", "u", "--virtual-host", virtual_host)
    assert "virtual host" in cells.fail("neighbor", "create", "n6", *words)


def test_a_virtual_host_with_a_slash_works(cells: Cells, synced: None) -> None:
    """(case E2)"""
    words = ("--type", "child", "--hostname", "h", "--username", "u", "--password", "p", "--virtual-host", "a/b")
    cells.succeed("neighbor", "create", "n6", *words)
    read = oslo_messaging.TransportURL.parse(cfg.ConfigOpts(), url_of(cells, "n6"))
    assert read.virtual_host == "a/b"
