"""``cells-status upgrade check``: results, exit status, masked passwords."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cells import versions
from cells.cmd import cells as cells_program
from cells.cmd import status
from cells.db import schema
from cells.db.api import Database
from cells.neighbors.neighbor import COLUMNS, Neighbor

URL = "rabbit://u:s3kr3t@h/v"

SUCCESS, WARNING, FAILURE = 0, 1, 2
NAMES = ["Settings", "Names", "Database", "Version caps", "Drivers", "Direct links"]


class Outcome(NamedTuple):
    """Exit status of the command, and the code and the details of each check."""

    status: int
    checks: dict[str, tuple[int, str]]

    def details(self, name: str, code: int) -> str:
        assert self.checks[name][0] == code, self.checks
        return self.checks[name][1]


class Deployment:
    """The configuration and the database of a cell."""

    def __init__(self, directory: Path, capfd: pytest.CaptureFixture[str], empty_database: Path) -> None:
        self._empty_database = empty_database
        self.directory = directory
        self.config_file = directory / "cells.conf"
        self.database_file = directory / "cells.sqlite"
        self._capfd = capfd
        self.configure()

    def configure(self, **options: str) -> None:
        """Write the configuration file; ``group__option`` names an option."""
        values = {
            "DEFAULT__transport_url": URL,
            "cells__name": "api",
            "DEFAULT__state_path": str(self.directory),
            "database__connection": f"sqlite:///{self.database_file}",
            **options,
        }
        lines = []
        for key, value in values.items():
            group, _, option = key.partition("__")
            lines += [f"[{group}]", f"{option} = {value}"]
        self.config_file.write_text("\n".join([*lines, ""]))

    def sync(self, *rows: Neighbor) -> None:
        shutil.copyfile(self._empty_database, self.database_file)
        insert = f"INSERT INTO cells ({', '.join(COLUMNS)}, deleted) VALUES ({', '.join('?' * len(COLUMNS))}, 0)"
        with contextlib.closing(sqlite3.connect(self.database_file)) as connection, connection:
            connection.executemany(insert, [tuple(row.as_dict().values()) for row in rows])

    def execute(self, statement: str) -> None:
        """Change the database by hand."""
        with contextlib.closing(sqlite3.connect(self.database_file)) as connection, connection:
            connection.execute(statement)

    def run(self, *words: str) -> tuple[int, str, str]:
        code = status.main(words)
        out, err = self._capfd.readouterr()
        for text in (out, err):
            assert "s3kr3t" not in text
            assert "Traceback" not in text
        return code, out, err

    def check(self) -> Outcome:
        code, out, err = self.run("--config-file", str(self.config_file), "upgrade", "check", "--json")
        assert err == ""
        checks = {made["check"]: (made["result"], made["details"] or "") for made in json.loads(out)["checks"]}
        assert list(checks) == NAMES
        assert code == max(result for result, _ in checks.values())
        return Outcome(code, checks)


@pytest.fixture
def deployment(tmp_path: Path, capfd: pytest.CaptureFixture[str], empty_database: Path) -> Deployment:
    return Deployment(tmp_path, capfd, empty_database)


def child(name: str, **columns: Any) -> Neighbor:
    return Neighbor(**{"name": name, "transport_url": URL, "is_parent": False, **columns})


def plug_ins(
    directory: Path, monkeypatch: pytest.MonkeyPatch, entries: Sequence[str], code: str = "class Pigeon:\n    pass\n"
) -> None:
    """An installed package with these lines of entry points."""
    metadata = directory / "strange_plug_ins-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-plug-ins\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("\n".join(entries))
    (directory / "strange_plug_ins.py").write_text(code)
    monkeypatch.syspath_prepend(directory)


def test_success(deployment: Deployment) -> None:
    deployment.sync(
        child("east"),
        child("west", version_cap="auto"),
        child("north", version_cap=versions.CURRENT),
        child("south", driver="memory", transport_url="memory://bus/south"),
        child("zmq", transport_url="zmq+ipc:///run/cells/zmq"),
    )
    assert deployment.check() == (SUCCESS, dict.fromkeys(NAMES, (SUCCESS, "")))


def test_table_for_people(deployment: Deployment) -> None:
    deployment.sync(child("east", version_cap="1.1"), child("west", version_cap="1.0"))
    code, out, err = deployment.run("--config-file", str(deployment.config_file), "upgrade", "check")
    assert (code, err) == (WARNING, "")
    lines = [line.strip("| ") for line in out.splitlines()]
    assert [line for line in lines if line.startswith("Check: ")] == [f"Check: {name}" for name in NAMES]
    # Each problem begins a line of its own.
    assert any(line.startswith("Details: Neighbor east: ") for line in lines)
    assert any(line.startswith("Neighbor west: ") for line in lines)
    assert max(map(len, lines)) <= 100


def test_database_without_tables(deployment: Deployment) -> None:
    found = deployment.check()
    assert 'run "cells db sync"' in found.details("Database", FAILURE)
    for name in ("Names", "Version caps", "Drivers"):
        assert found.details(name, WARNING)
    # The check did not create the file, which would belong to another user than the manager's.
    assert not deployment.database_file.exists()


def test_older_database(deployment: Deployment) -> None:
    deployment.sync()
    deployment.execute(f"UPDATE alembic_version SET version_num = '{schema.REVISIONS[-2]}'")
    deployment.execute("ALTER TABLE cells DROP COLUMN version_cap")
    found = deployment.check()
    assert found.details("Version caps", WARNING)
    told = found.details("Database", FAILURE)
    for token in (schema.REVISIONS[-2], schema.HEAD, '"cells db sync"'):
        assert token in told


@pytest.mark.parametrize("statement", ["ALTER TABLE cells DROP COLUMN version_cap", "DROP TABLE cells"])
def test_tables_that_do_not_match_their_revision(deployment: Deployment, statement: str) -> None:
    deployment.sync()
    deployment.execute(statement)
    found = deployment.check()
    told = found.details("Database", FAILURE)
    assert "the tables do not match their revision: restore them from a backup, or drop them all" in told
    assert "no row could be read" in found.details("Drivers", WARNING)


def test_newer_database(deployment: Deployment) -> None:
    deployment.sync(child("east"))
    deployment.execute("UPDATE alembic_version SET version_num = '9999'")
    found = deployment.check()
    assert "9999" in found.details("Database", WARNING)
    assert found.details("Drivers", SUCCESS) == ""


def test_unreachable_database(deployment: Deployment) -> None:
    deployment.configure(database__connection="postgresql://u:s3kr3t@127.0.0.1:1/cells")
    assert "u:***@127.0.0.1:1/cells cannot be used" in deployment.check().details("Database", FAILURE)


def test_malformed_database_url(deployment: Deployment) -> None:
    deployment.configure(database__connection="u:s3kr3t@h/cells")
    assert "[database] connection is no database URL" in deployment.check().details("Database", FAILURE)


def test_each_row_that_cannot_be_read_is_named(deployment: Deployment) -> None:
    deployment.sync(child("east"), child("north", version_cap="1.0"), child("west"))
    deployment.execute("UPDATE cells SET transport_url = 'u:s3kr3t' WHERE name = 'east'")
    deployment.execute("UPDATE cells SET driver = '' WHERE name = 'west'")
    found = deployment.check()
    east, west = found.details("Database", FAILURE).splitlines()
    assert "'east': The transport URL" in east
    assert "'west': driver" in west
    assert "'cells neighbor set east'" in east
    # The other rows are checked.
    assert "Neighbor north" in found.details("Version caps", WARNING)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ea!st", "\"cells neighbor delete -- 'ea!st'\""),
        ("-ea st", "\"cells neighbor delete -- '-ea st'\""),
        ("", "\"cells neighbor delete -- ''\""),
        ("ea\tst", "Delete its row from the table 'cells' by hand."),
    ],
)
def test_row_with_invalid_name(deployment: Deployment, capfd: pytest.CaptureFixture[str], name: str, hint: str) -> None:
    deployment.sync(child("east"))
    deployment.execute(f"UPDATE cells SET name = '{name}'")
    told = deployment.check().details("Database", FAILURE)
    assert hint in told
    assert "neighbor set" not in told
    if "delete --" in hint:
        # The command in the text works.
        words = shlex.split(hint.split('"')[1])[1:]
        assert cells_program.main(["--config-file", str(deployment.config_file), *words]) == 0
        capfd.readouterr()
        assert deployment.check().status == SUCCESS


@pytest.mark.parametrize(
    ("name", "told"), [("", "[cells] name "), ("api!east", "[cells] name: The cell name 'api!east' ")]
)
def test_own_name_that_cannot_be_used(deployment: Deployment, name: str, told: str) -> None:
    deployment.configure(cells__name=name)
    deployment.sync()
    assert deployment.check().details("Names", FAILURE).startswith(told)


def test_neighbor_with_the_own_name(deployment: Deployment) -> None:
    deployment.sync(child("api"), child("east"))
    told = deployment.check().details("Names", FAILURE)
    assert told.startswith("Neighbor api ")
    assert "'cells neighbor delete api'" in told
    file = deployment.directory / "cells.json"
    file.write_text(json.dumps({"api": {"transport_url": URL, "is_parent": False}}))
    deployment.configure(cells__cells_config=str(file))
    assert f"remove it in {file}, or" in deployment.check().details("Names", FAILURE)


@pytest.mark.parametrize("cap", ["grizzly", "stein", " Rocky "])
def test_neighbor_of_nova_has_nothing_to_raise(deployment: Deployment, cap: str) -> None:
    deployment.sync(child("east", version_cap=cap))
    assert deployment.check().details("Version caps", SUCCESS) == ""


@pytest.mark.parametrize(("cap", "version"), [("1.0", "1.0"), ("cells-0.1", "1.0"), ("1.2", "1.2")])
def test_a_cap_below_the_version_of_this_release(deployment: Deployment, cap: str, version: str) -> None:
    deployment.configure(upgrade_levels__intercell=cap)
    deployment.sync(child("east", version_cap=cap), child("west"))
    for_all, for_east = deployment.check().details("Version caps", WARNING).splitlines()
    assert f"[upgrade_levels] intercell = {cap} holds every link at {version}" in for_all
    assert f"Neighbor east: its version cap {cap} holds the link at {version}" in for_east
    for line in (for_all, for_east):
        assert versions.CURRENT in line
        assert "'cells upgrade matrix'" in line


def test_caps_that_cannot_be_read(deployment: Deployment) -> None:
    deployment.configure(upgrade_levels__intercell="wallaby")
    deployment.sync(child("east", version_cap="9.9"))
    for_all, for_east = deployment.check().details("Version caps", FAILURE).splitlines()
    assert "[upgrade_levels] intercell: 'wallaby' is neither" in for_all
    assert "Neighbor east: its version cap '9.9' is neither" in for_east
    assert "counts as 1.0" in for_east
    assert "'cells neighbor set east --version-cap ...'" in for_east
    # The manager runs with such a row.
    deployment.configure()
    assert "'9.9'" in deployment.check().details("Version caps", WARNING)


def test_drivers_that_are_not_installed(deployment: Deployment) -> None:
    deployment.configure(cells__driver="pigeon", DEFAULT__transport_url="rabit://u:s3kr3t@h/")
    deployment.sync(child("east", driver="owl"), child("west", transport_url="kafca://u:s3kr3t@h/"), child("good"))
    lines = deployment.check().details("Drivers", FAILURE).splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        "[cells] driver: There is no driver 'pigeon'",
        "[DEFAULT] transport_url: There is no transport 'rabit'",
        "Neighbor east: There is no driver 'owl'",
        "Neighbor west: There is no transport 'kafca'",
    ]
    assert lines[0].endswith(": direct, memory, rpc.")


def test_plug_ins_that_do_not_load(deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drivers = ["[cells.drivers]", "owl = strange_plug_ins:Owl", "pigeon = strange_plug_ins:Pigeon"]
    plug_ins(tmp_path, monkeypatch, [*drivers, "[oslo.messaging.drivers]", "smoke = no_such_module:Smoke"])
    deployment.sync(
        child("east", driver="owl"), child("west", driver="pigeon"), child("north", transport_url="smoke://u:s3kr3t@h/")
    )
    east, north, west = deployment.check().details("Drivers", FAILURE).splitlines()
    assert "Neighbor east: The driver 'owl' cannot be loaded: AttributeError" in east
    assert "Neighbor north: The transport 'smoke' cannot be loaded: ModuleNotFoundError" in north
    assert west.startswith("Neighbor west: The driver 'pigeon' ")


@pytest.mark.parametrize(
    "url", ["u:s3kr3t@h", "rabbit://u:s3k/s3kr3t@h/", "rabbit://u:p@h:s3kr3t/", "zmq://u:s3kr3t@h/"]
)
def test_own_transport_url_that_cannot_be_read(deployment: Deployment, url: str) -> None:
    deployment.configure(DEFAULT__transport_url=url)
    deployment.sync()
    assert "[DEFAULT] transport_url cannot be used" in deployment.check().details("Drivers", FAILURE)


@pytest.mark.parametrize("url", ["zmq:///", "rabbit://", "rabbit://u:s3kr3t@h1:5672,u:s3kr3t@[::1]:5673/v", "fake:///"])
def test_valid_own_transport_url(deployment: Deployment, url: str) -> None:
    deployment.configure(DEFAULT__transport_url=url)
    deployment.sync()
    assert deployment.check().status == SUCCESS


def test_certificate_of_direct_links(deployment: Deployment) -> None:
    deployment.sync(child("east"))
    certificate = deployment.directory / "cell.crt"
    deployment.configure(cells_direct__certificate=str(certificate))
    assert str(certificate) in deployment.check().details("Direct links", FAILURE)


def test_rows_of_a_file(deployment: Deployment) -> None:
    file = deployment.directory / "cells.json"
    deployment.configure(cells__cells_config=str(file))
    row = {"transport_url": URL, "is_parent": False}
    file.write_text(json.dumps({"east": {**row, "version_cap": "1.1"}, "west": {**row, "driver": "owl"}}))
    found = deployment.check()
    # The check needs no database.
    assert found.details("Database", SUCCESS) == ""
    assert "Neighbor east" in found.details("Version caps", WARNING)
    assert "Neighbor west: There is no driver 'owl'" in found.details("Drivers", FAILURE)

    file.write_text(json.dumps({"east": {**row, "version_cap": "9.9"}}))
    assert f"until you correct it: {file}." in deployment.check().details("Version caps", WARNING)
    file.write_text(json.dumps({"east": {**row, "transport_url": "u:s3kr3t"}, "west": {**row, "driver": ""}}))
    told = deployment.check().details("Database", FAILURE)
    assert "'east'" in told
    assert "'west'" in told
    file.unlink()
    assert str(file) in deployment.check().details("Database", FAILURE)


def test_neighbors_in_a_file_still_need_the_table_of_servers(deployment: Deployment) -> None:
    file = deployment.directory / "cells.json"
    file.write_text(json.dumps({"east": {"transport_url": URL, "is_parent": False, "version_cap": "1.1"}}))
    deployment.configure(cells__cells_config=str(file), DEFAULT__transport_url="zmq:///")
    found = deployment.check()
    assert "cells db sync" in found.details("Database", FAILURE)
    assert "Neighbor east" in found.details("Version caps", WARNING)
    deployment.sync()
    assert deployment.check().details("Database", SUCCESS) == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--config-file", "/no/such/file", "upgrade", "check"), "/no/such/file"),
        (("upgrade",), "check"),
        (("downgrade",), "downgrade"),
        ((), "{upgrade}"),
    ],
)
def test_checks_that_cannot_run(deployment: Deployment, words: tuple[str, ...], told: str) -> None:
    code, out, err = deployment.run(*words)
    assert (code, out) == (status.STATUS_UNEXPECTED, "")
    assert told in err


def test_option_with_a_wrong_value(deployment: Deployment) -> None:
    deployment.configure(cells__call_timeout="soon")
    code, out, err = deployment.run("--config-file", str(deployment.config_file), "upgrade", "check")
    assert (code, out) == (status.STATUS_UNEXPECTED, "")
    assert err.startswith("cells-status: [cells] call_timeout ")


def test_unexpected_error_is_one_line(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    def examine(database: Database) -> None:
        raise ZeroDivisionError("by zero")

    deployment.sync()
    monkeypatch.setattr(Database, "examine", examine)
    code, out, err = deployment.run("--config-file", str(deployment.config_file), "upgrade", "check")
    assert (code, out, err) == (255, "", "cells-status: unexpected ZeroDivisionError: by zero\n")


def test_help_is_a_success(deployment: Deployment) -> None:
    code, out, err = deployment.run("--help")
    assert (code, err) == (SUCCESS, "")
    assert "--config-file" in out


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("DEFAULT", "host", "h" * 240),
        ("DEFAULT", "transport_url", "rabbit://u:p@h/a%252Fb"),
        ("database", "connection", "mysql+pymysql://u:p%E2%82%AC@127.0.0.1:1/x"),
    ],
)
def test_a_setting_that_cannot_work_is_a_failure(deployment: Deployment, section: str, option: str, value: str) -> None:
    """(cases E2, E3, E4)"""
    deployment.sync()
    with deployment.config_file.open("a") as file:
        file.write(f"\n[{section}]\n{option} = {value}\n")
    assert f"[{section}] {option}" in deployment.check().details("Settings", FAILURE).replace("\n", " ")


def test_a_dollar_sign_is_explained(deployment: Deployment) -> None:
    """(case E1)"""
    with deployment.config_file.open("a") as file:
        file.write("\n[DEFAULT]\ntransport_url = rabbit://u:pa$sword@h/\n")
    code, _, err = deployment.run("--config-file", str(deployment.config_file), "upgrade", "check")
    assert code == 255
    assert "'$$'" in err


def test_two_endpoints_of_one_name_are_a_failure(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.sync()
    code = "from cells.endpoints import endpoint\n\n@endpoint\ndef ping(call):\n    pass\n"
    plug_ins(tmp_path, monkeypatch, ["[cells.endpoints]", "strange = strange_plug_ins"], code)
    # Another process, because stevedore remembers the entry points.
    program = "import sys; from cells.cmd.status import main; sys.exit(main())"
    words = (sys.executable, "-c", program, "--config-file", str(deployment.config_file), "upgrade", "check")
    path = os.pathsep.join(map(str, [tmp_path, *sys.path]))
    result = subprocess.run(words, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert result.returncode == int(FAILURE)
    assert "'ping'" in result.stdout
