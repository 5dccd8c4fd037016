"""The files of a package agree with the code: units, users, directories, log rotation, image and compose file.

No container engine runs the image here.  So each command, option and path that these files name is looked up.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cells import conf as cells_conf
from cells.cmd import manager
from cells.neighbors.loader import FileSource
from cells.transport.opening import register_options
from tests.cases import each
from tests.project.sources import COMMANDS, ROOT

CELLS = ROOT / "etc" / "cells"
CONTAINER = ROOT / "etc" / "container"
UNITS = {"cells-manager.service": "cells-manager.service", "cells-manager@.service": "cells-manager@east.service"}
#: of both units
SECTIONS = ["Unit", "Service", "Install"]
#: lines of the Containerfile, with continued lines joined
STEPS = [
    tuple(line.split(maxsplit=1))
    for line in (CONTAINER / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]
COMPOSE = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
#: service of the compose file -> keys; YAML has merged those of all cells
SERVICES = COMPOSE["services"]


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",), strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(CELLS / name)
    return parser


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
@each(("name", "instance"), UNITS.items())
def test_systemd_accepts_the_unit(name: str, instance: str, tmp_path: Path) -> None:
    text = (CELLS / name).read_text()
    assert "ExecStart=/usr/bin/cells-manager " in text
    # It must exist here.
    program = Path(sys.executable).parent / "cells-manager"
    (tmp_path / name).write_text(text.replace("/usr/bin/cells-manager", str(program)))
    (tmp_path / instance).write_text((tmp_path / name).read_text())
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / instance)], capture_output=True, text=True, check=False
    )
    own_lines = [line for line in checked.stderr.splitlines() if "cells-manager" in line]
    assert (own_lines, checked.returncode) == ([], 0), checked.stderr


@each("name", UNITS)
def test_unit_starts_the_manager_with_options_that_it_has(name: str) -> None:
    service = unit(name)["Service"]
    assert unit(name).sections() == SECTIONS
    program, *arguments = shlex.split(service["ExecStart"])
    assert Path(program).name == "cells-manager"
    assert arguments[0] == "--config-file"
    assert Path(arguments[1]).parent == Path("/etc/cells")
    assert service["Type"] == "notify"
    assert service["ExecReload"].endswith("-HUP $MAINPID")


@each("name", UNITS)
def test_unit_leaves_time_for_a_graceful_stop(name: str) -> None:
    conf = cells_conf.load([])
    from oslo_service import opts

    opts.register_service_opts(conf)
    assert float(unit(name)["Service"]["TimeoutStopSec"]) >= conf.graceful_shutdown_timeout + manager.EXIT_SECONDS


def test_both_units_differ_in_the_name_of_the_cell_only() -> None:
    one, several = (
        {(section, key): value for section in SECTIONS for key, value in unit(name)[section].items()} for name in UNITS
    )
    assert {key for _, key in dict(one.items() ^ several.items())} == {
        "Description",
        "StateDirectory",
        "LogsDirectory",
        "ExecStart",
    }
    assert [value for value in several.values() if "%i" in value and "cell %i" not in value] == [
        "cells/%i",
        "cells/%i",
        "/usr/bin/cells-manager --config-file /etc/cells/%i.conf",
    ]


def test_directories_are_those_of_the_options_and_of_the_unit() -> None:
    lines = [line.split() for line in (CELLS / "cells.tmpfiles.conf").read_text().splitlines() if line[0] != "#"]
    modes = {path: (mode, owner, group) for _, path, mode, owner, group, _ in lines}
    service = unit("cells-manager.service")["Service"]
    assert modes == {
        "/etc/cells": ("0750", "root", "cells"),
        cells_conf.load([]).state_path: (service["StateDirectoryMode"], "cells", "cells"),
        f"/var/log/{service['LogsDirectory']}": (service["LogsDirectoryMode"], "cells", "cells"),
    }


def test_user_is_that_of_the_unit(tmp_path: Path) -> None:
    (line,) = (line for line in (CELLS / "cells.sysusers.conf").read_text().splitlines() if line[0] != "#")
    kind, user, _, _, home = shlex.split(line)
    service = unit("cells-manager.service")["Service"]
    assert (kind, user, user) == ("u", service["User"], service["Group"])
    assert home == f"/var/lib/{service['StateDirectory']}"


@pytest.mark.skipif(not shutil.which("systemd-tmpfiles") or os.getuid() != 0, reason="needs systemd and root")
def test_systemd_makes_the_user_and_the_directories(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for program, name in (("systemd-sysusers", "cells.sysusers.conf"), ("systemd-tmpfiles", "cells.tmpfiles.conf")):
        create = ["--create"] if program == "systemd-tmpfiles" else []
        subprocess.run([program, f"--root={tmp_path}", *create, str(CELLS / name)], check=True, capture_output=True)
    user = next(line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("cells:"))
    state = (tmp_path / "var/lib/cells").stat()
    assert state.st_uid == int(user.split(":")[2]) != 0
    assert oct(state.st_mode)[-3:] == "700"


@pytest.mark.skipif(not shutil.which("logrotate"), reason="needs logrotate")
def test_logrotate_accepts_its_file(tmp_path: Path) -> None:
    # As for any other user, logrotate does not change the user.
    file = tmp_path / "cells"
    logs = tmp_path / "log"
    (logs / "east").mkdir(parents=True)
    logs.chmod(0o750)
    (logs / "east").chmod(0o750)
    (logs / "east" / "cells-manager.log").write_text("line\n")
    text = (CELLS / "cells.logrotate").read_text().replace("/var/log/cells", str(logs))
    file.write_text(text.replace("    su cells cells\n", ""))
    file.chmod(0o600)
    rotated = subprocess.run(
        ["logrotate", "--force", "--state", str(tmp_path / "state"), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (rotated.returncode, rotated.stderr) == (0, "")
    assert [path.name for path in (logs / "east").iterdir()] == ["cells-manager.log.1"]


def check_command(command: list[str]) -> None:
    """Check that a command of this project has that name, subcommand and option."""
    program, option, path, *rest = command
    assert program in ("cells", "cells-manager")
    assert (option, path) == ("--config-file", "/etc/cells/cells.conf")
    assert (" ".join(rest) in COMMANDS) if program == "cells" else not rest


def test_image_is_based_on_official_images_only() -> None:
    images = [argument.split() for step, argument in STEPS if step == "FROM"]
    assert [(image.partition(":")[0], *rest) for image, *rest in images] == [("python", "AS", "build"), ("python",)]
    version = images[0][0].partition(":")[2].partition("-")[0]
    assert f"Programming Language :: Python :: {version}" in (ROOT / "setup.cfg").read_text()


def test_image_runs_the_manager_as_an_unprivileged_user() -> None:
    last = STEPS[[step for step, _ in STEPS].index("FROM", 1) :]
    (user,) = (argument for step, argument in last if step == "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert f"--uid {user.partition(':')[0]} " in dict(last)["RUN"]
    check_command(json.loads(dict(last)["CMD"]))
    check_command(json.loads(dict(last)["HEALTHCHECK"].rpartition("CMD ")[2]))


def test_last_stage_of_the_image_has_nothing_that_installs_or_builds() -> None:
    last = STEPS[[step for step, _ in STEPS].index("FROM", 1) :]
    assert "pip uninstall" in dict(last)["RUN"]
    assert not any(re.search(r"apt|gcc|pip install", argument) for _, argument in last)
    assert [argument for step, argument in last if step == "COPY"] == ["--from=build /opt/cells /opt/cells"]


def test_extras_that_the_image_installs_exist() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    (extras,) = re.findall(r"/src\[([a-z,]+)\]", dict(STEPS[:4])["RUN"])
    assert set(extras.split(",")) <= set(setup["options.extras_require"])


def test_compose_file_has_known_keys_and_existing_files() -> None:
    assert set(COMPOSE) == {"name", "x-cell", "services", "volumes"}
    for service in SERVICES.values():
        assert set(service) <= {
            *("image", "build", "restart", "stop_grace_period", "init", "read_only", "tmpfs", "cap_drop"),
            *("security_opt", "depends_on", "hostname", "volumes", "healthcheck"),
        }
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert (CONTAINER / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
        for name, depends_on in service.get("depends_on", {}).items():
            assert depends_on == {"condition": "service_healthy"}
            assert "healthcheck" in SERVICES[name]
    assert SERVICES["rabbitmq"]["image"].partition(":")[0] == "rabbitmq"


@each("name", ["api", "east"])
def test_compose_file_builds_the_image_and_runs_a_cell(name: str) -> None:
    service = SERVICES[name]
    build = service["build"]
    context = (CONTAINER / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).samefile(CONTAINER / "Containerfile")
    # The command of the image reads cells.conf there.
    assert f"./{name}:/etc/cells:ro" in service["volumes"]
    assert float(service["stop_grace_period"].removesuffix("s")) >= 60 + manager.EXIT_SECONDS


def login(url: str) -> tuple[str, str, str, str]:
    """Return user, password, host and virtual host of a URL."""
    found = re.fullmatch(r"rabbit://([^:]+):([^@]+)@([a-z]+):5672/(\w+)", url)
    assert found
    return found[1], found[2], found[3], found[4]


@each(("name", "parents"), [("api", []), ("east", ["api"])])
def test_cell_of_the_compose_file_logs_in_where_its_broker_lets_it(name: str, parents: list[str]) -> None:
    definitions = json.loads((CONTAINER / "rabbitmq" / "definitions.json").read_text())
    passwords = {user["name"]: user["password"] for user in definitions["users"]}
    permissions = {(found["user"], found["vhost"]): found for found in definitions["permissions"]}
    conf = cells_conf.load([CONTAINER / name / "cells.conf"])
    register_options(conf)
    rows = FileSource(conf.cells.cells_config.replace("/etc/cells", str(CONTAINER / name))).neighbors()
    assert conf.cells.name == name
    assert [row.name for row in rows if row.is_parent] == parents
    for url, is_own in [(conf.transport_url, True), *((row.transport_url, False) for row in rows)]:
        user, password, host, vhost = login(url)
        assert host in SERVICES
        assert passwords[user] == password
        assert (permissions[user, vhost]["configure"] == ".*") == is_own
