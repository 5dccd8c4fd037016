"""Every option has a help text, and a wrong value is an error that names the option."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg, generator

from cells import conf as cells_conf
from cells import exceptions
from cells.conf import api, cells, default, direct, metrics, scheduler, upgrade_levels, zmq
from tests.cases import each

GROUPS = [default, cells, scheduler, api, direct, metrics, upgrade_levels, zmq]
OPTIONS = [(group.GROUP, option) for group in GROUPS for option in group.OPTIONS]
NUMBERS = [(group, option) for group, option in OPTIONS if isinstance(option, cfg.IntOpt)]


def named(value: Any) -> str:
    return value.name if isinstance(value, cfg.Opt) else str(value)


def load(path: Path, group: str | None, *lines: str) -> cfg.ConfigOpts:
    file = path / "cells.conf"
    file.write_text("\n".join([f"[{group or 'DEFAULT'}]", *lines, ""]))
    return cells_conf.load([file])


def test_list_opts_has_every_group() -> None:
    listed = dict(cells_conf.list_opts())
    assert list(listed) == [
        None,
        "cells",
        "cells_scheduler",
        "cells_api",
        "cells_direct",
        "cells_metrics",
        "upgrade_levels",
        "oslo_messaging_zmq",
    ]
    assert [(group, option) for group, options in listed.items() for option in options] == OPTIONS


def test_list_opts_cannot_be_used_to_change_the_options() -> None:
    for _, options in cells_conf.list_opts():
        options.clear()
    assert all(options for _, options in cells_conf.list_opts())


@each(("group", "option"), OPTIONS, ids=named)
def test_option_has_a_help_text_of_sentences(group: str | None, option: cfg.Opt) -> None:
    text = option.help.strip()
    assert len(text.split()) >= 4
    assert text.split("\n\n")[0].endswith(".")
    assert text.endswith((".", "``."))


@each(("group", "option"), NUMBERS, ids=named)
def test_number_has_a_range_and_a_default_within(group: str | None, option: cfg.IntOpt) -> None:
    assert option.type.min is not None
    assert option.type.min >= 1
    assert option.type(str(option.default)) == option.default


@each(("group", "option"), NUMBERS, ids=named)
def test_number_out_of_range_or_none_names_the_option(group: str | None, option: cfg.IntOpt, tmp_path: Path) -> None:
    for value in ("0", "-1", "many", "1.5", "nan"):
        with pytest.raises(ValueError):  # noqa: PT011  # each value is refused by the type
            option.type(value)
    for wrong in (option.type.min - 1 if option.type.max is None else option.type.max + 1, ""):
        with pytest.raises(exceptions.ConfigurationError, match=option.name):
            load(tmp_path, group, f"{option.name} = {wrong}")


@pytest.mark.parametrize("end", ["min", "max"])
def test_ends_of_the_range_are_allowed(end: str, tmp_path: Path) -> None:
    for group in {group for group, _ in NUMBERS}:
        values = {option: getattr(option.type, end) or 10**9 for of, option in NUMBERS if of == group}
        conf = load(tmp_path, group, *(f"{option.name} = {value}" for option, value in values.items()))
        assert {option: conf[group][option.dest] for option in values} == values


@each(("group", "option"), OPTIONS, ids=named)
def test_reference_to_an_unknown_option_is_an_error(group: str | None, option: cfg.Opt, tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=f"no_such_option|{option.name}"):
        load(tmp_path, group, f"{option.name} = $no_such_option")


def test_defaults(tmp_path: Path) -> None:
    conf = load(tmp_path, "cells", "name = api")
    assert conf.cells.name == "api"
    assert (conf.cells.topic, conf.cells.rpc_driver_queue_base) == ("cells", "cells.intercell")
    assert (conf.cells.driver, conf.cells.call_timeout, conf.cells.max_hop_count) == ("rpc", 60, 10)
    assert (conf.cells.db_check_interval, conf.cells.mute_child_interval) == (60, 300)
    assert (conf.cells.send_queue_size, conf.cells.send_queue_bytes) == (10_000, 256 * 1024 * 1024)
    assert (conf.cells.capabilities, conf.cells.cells_config) == ([], None)
    assert (conf.upgrade_levels.intercell, conf.upgrade_levels.cells) == ("auto", None)
    assert conf.host
    assert conf.database.connection == "sqlite:////var/lib/cells/cells.sqlite"


def test_only_errors_of_this_project_are_rebuilt_by_default() -> None:
    (option,) = [option for _, option in OPTIONS if option.name == "allowed_rpc_exception_modules"]
    assert option.default == ["cells.exceptions"]


def test_lists_and_places(tmp_path: Path) -> None:
    conf = load(tmp_path, "cells", "capabilities = hypervisor=xenserver;kvm, os=linux;windows")
    assert conf.cells.capabilities == ["hypervisor=xenserver;kvm", "os=linux;windows"]
    conf = load(tmp_path, None, "host = h1", f"state_path = {tmp_path}")
    assert (conf.host, conf.database.connection) == ("h1", f"sqlite:///{tmp_path}/cells.sqlite")


def test_scheduler(tmp_path: Path) -> None:
    conf = load(tmp_path, "cells_scheduler", "filters = capabilities", "weight_multipliers = mute_child:-5, mine: 2.5")
    assert conf.cells_scheduler.filters == ["capabilities"]
    assert conf.cells_scheduler.weighers == ["weight_offset", "mute_child", "free_capacity"]
    assert conf.cells_scheduler.weight_multipliers == {"mute_child": -5.0, "mine": 2.5}


def test_direct_links(tmp_path: Path) -> None:
    conf = load(tmp_path, None, f"state_path = {tmp_path}")
    assert (conf.cells_direct.listen, conf.cells_direct.ca) == ([], [])
    assert conf.cells_direct.certificate == f"{tmp_path}/cell.crt"
    assert conf.cells_direct.key == f"{tmp_path}/cell.key"
    assert (conf.cells_direct.reconnect_wait, conf.cells_direct.heartbeat) == (30.0, 2.0)
    assert conf.cells_direct.max_handshakes == 128
    conf = load(tmp_path, "cells_direct", "listen = 10.0.0.5:5680, [fd00::5]:5680", "reconnect_wait = 0", "ca = a,b")
    assert conf.cells_direct.listen == ["10.0.0.5:5680", "[fd00::5]:5680"]
    assert (conf.cells_direct.reconnect_wait, conf.cells_direct.ca) == (0.0, ["a", "b"])


@each("line", ["heartbeat = 0.09", "heartbeat = 61", "reconnect_wait = -1", "reconnect_wait = 3601", "heartbeat ="])
def test_seconds_of_direct_links_out_of_range_name_the_option(line: str, tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=line.partition(" ")[0]):
        load(tmp_path, "cells_direct", line)


@each("value", ["mute_child:many", "mute_child", "a:1,b"])
def test_weight_multipliers_that_cannot_be_read_name_the_option(value: str, tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=r"\[cells_scheduler\] weight_multipliers "):
        load(tmp_path, "cells_scheduler", f"weight_multipliers = {value}")


def test_a_later_file_wins(tmp_path: Path) -> None:
    for name, topic in (("a", "one"), ("b", "two")):
        (tmp_path / name).write_text(f"[cells]\nname = api\ntopic = {topic}\n")
    conf = cells_conf.load([tmp_path / "a", tmp_path / "b"])
    assert conf.cells.topic == "two"


@each("content", [b"no section\n", b"[cells\nname = x\n", b"[cells]\nname\n", b"[cells]\nname = \xff\xfe\n"])
def test_a_file_that_cannot_be_read_is_a_configuration_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.conf"
    path.write_bytes(content)
    with pytest.raises(exceptions.ConfigurationError):
        cells_conf.load([path])


def test_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=r"missing\.conf"):
        cells_conf.load([tmp_path / "missing.conf"])


def test_folder_instead_of_a_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        cells_conf.load([tmp_path])


def test_two_configurations_are_independent(tmp_path: Path) -> None:
    one = load(tmp_path, "cells", "name = one")
    other = load(tmp_path, "cells", "name = other")
    assert (one.cells.name, other.cells.name) == ("one", "other")


def test_a_daemon_reads_the_file_of_its_command_line(tmp_path: Path) -> None:
    (tmp_path / "c.conf").write_text("[cells]\nname = api\n")
    conf = cells_conf.load_command_line("cells-manager", ["--config-file", str(tmp_path / "c.conf"), "--debug"])
    assert conf.cells.name == "api"
    assert conf.debug is True
    with pytest.raises(exceptions.ConfigurationError, match="missing"):
        cells_conf.load_command_line("cells-manager", ["--config-file", str(tmp_path / "missing.conf")])


@pytest.mark.parametrize("program", ["cells-manager", "cells-status"])
def test_a_found_file_that_another_user_may_have_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".cells").mkdir()
    planted = tmp_path / ".cells" / "cells.conf"
    planted.write_text("[cells]\nname = api\n")
    assert cells_conf.load_command_line(program, []).cells.name == "api"
    planted.chmod(0o666)
    with pytest.raises(exceptions.ConfigurationError, match="another user"):
        cells_conf.load_command_line(program, [])


def test_a_named_file_may_belong_to_any_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    named = tmp_path / "named.conf"
    named.write_text("[cells]\nname = api\n")
    named.chmod(0o666)
    assert cells_conf.load_command_line("cells-manager", ["--config-file", str(named)]).cells.name == "api"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("is_link", [True, False])
def test_a_found_file_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_link: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    target, planted = tmp_path / "root.conf", tmp_path / "cells.conf"
    target.write_text("[cells]\nname = api\n")
    if is_link:
        planted.symlink_to(target)
    else:
        target.rename(planted)
    os.chown(planted, 12345, -1, follow_symlinks=False)
    with pytest.raises(exceptions.ConfigurationError, match="another user"):
        cells_conf.load_command_line("cells-manager", [])


def test_the_generator_writes_every_option(tmp_path: Path) -> None:
    output = io.StringIO()
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--namespace", "cells"], default_config_files=[], default_config_dirs=[])
    generator.generate(conf, output)
    lines = output.getvalue().splitlines()
    for group in GROUPS:
        section = lines[lines.index(f"[{group.GROUP or 'DEFAULT'}]") :]
        end = next((number for number, line in enumerate(section) if number and line.startswith("[")), len(section))
        written = {line.lstrip("#").split(" =")[0].strip() for line in section[:end] if " =" in line and line[0] == "#"}
        assert {option.name for option in group.OPTIONS} <= written


@each("group", GROUPS, ids=lambda group: group.GROUP or "DEFAULT")
def test_every_default_can_be_written_and_read_again(group: Any, tmp_path: Path) -> None:
    def written(default: object) -> str:
        if isinstance(default, dict):
            return ",".join(f"{key}:{value}" for key, value in default.items())
        return ",".join(default) if isinstance(default, list) else str(default)

    lines = [f"{option.name} = {written(option.default)}" for option in group.OPTIONS if option.default is not None]
    conf = load(tmp_path, group.GROUP, *lines)
    for option in group.OPTIONS:
        found = conf[group.GROUP][option.dest] if group.GROUP else conf[option.dest]
        # A default may refer to the directory of the cell.
        default = option.default
        assert found == (default.replace("$state_path", conf.state_path) if isinstance(default, str) else default)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.conf", tmp_path / "bad.conf"
    good.write_text("[cells]\nname = api\n")
    bad.write_bytes("# Zürich\n".encode("latin-1"))
    for words in ([good, bad], ()), ([good], ["--config-file", str(bad)]):
        with pytest.raises(exceptions.ConfigurationError) as caught:
            cells_conf.load(*words)
        assert str(bad) in str(caught.value)
