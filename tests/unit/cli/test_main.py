"""The program ``cells``: global options, exit statuses, logging."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from oslo_config import cfg

from cells import exceptions
from cells.cli import base
from cells.cmd.cells import main
from tests.cases import each
from tests.unit.cli.conftest import Cells, Manager

PROGRAM = (sys.executable, "-c", "import sys; from cells.cmd.cells import main; sys.exit(main())")
STATUS_PROGRAM = (sys.executable, "-c", "import sys; from cells.cmd.status import main; sys.exit(main())")
MANAGER = (sys.executable, "-m", "cells.cmd.manager")


def test_help_needs_no_configuration_names_every_command_and_imports_nothing_slow() -> None:
    # Not eventlet: oslo.log before 8.3, the last for Python 3.10, imports it by itself.
    code = (
        "import sys\nfrom cells.cmd.cells import main\nprint('status', main(['--help']))\n"
        "print([name for name in ('oslo_messaging', 'sqlalchemy', 'alembic') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    for command in ("db sync", "neighbor create", "ping", "call", "cast", "broadcast", "topology", "status"):
        assert f"\n  {command} " in result.stdout
    assert result.stdout.splitlines()[-2:] == ["status 0", "[]"]


def test_help_of_a_command(cells: Cells) -> None:
    for words in (("neighbor", "create", "--help"), ("--help", "neighbor", "create"), ("help", "neighbor", "create")):
        result = cells.bare(*words)
        assert (result.status, result.err) == (0, "")
        assert "--broker-hosts" in result.out


def test_version(cells: Cells) -> None:
    assert cells.bare("--version").out.startswith("cells ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no command"),
        (("bogus",), "'bogus'"),
        (("neighbor", "creat"), "Did you mean: neighbor create"),
        (("--bogus",), "--bogus"),
        *((("db", "sync", word), word) for word in ("--bogus", "more")),
    ],
)
def test_a_wrong_command_line(cells: Cells, words: tuple[str, ...], told: str) -> None:
    assert told in cells.fail(*words, status=2)


def test_a_configuration_that_is_missing_or_wrong(cells: Cells) -> None:
    result = cells.bare("--config-file", "/nonexistent/cells.conf", "db", "version")
    assert (result.status, result.out) == (2, "")
    assert "/nonexistent/cells.conf" in result.err
    cells.configure(call_timeout="soon")
    assert "call_timeout" in cells.fail("db", "version")
    cells.config_file.write_text("no option\n")
    assert "cells.conf" in cells.fail("db", "version")


def test_without_a_configuration_the_option_is_named(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cfg, "find_config_files", lambda **_: [])
    result = cells.bare("db", "version")
    assert (result.status, result.out) == (2, "")
    assert "--config-file" in result.err


def test_default_directories_are_searched_for_a_configuration(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(cells.directory))
    assert cells.bare("db", "sync").status == 0
    assert (cells.directory / "cells.sqlite").exists()


def test_a_configuration_that_another_user_may_have_written_is_not_used(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(cells.directory))
    cells.config_file.chmod(0o666)
    result = cells.bare("db", "sync")
    assert (result.status, result.out) == (2, "")
    assert str(cells.config_file) in result.err


def test_the_last_configuration_wins(cells: Cells, tmp_path: Path) -> None:
    more = tmp_path / "more.conf"
    more.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/other.sqlite\n")
    cells.succeed("--config-file", str(more), "db", "sync")
    assert (tmp_path / "other.sqlite").exists()
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "a.conf").write_text(f"[database]\nconnection = sqlite:///{tmp_path}/third.sqlite\n")
    cells.succeed("--config-dir", str(folder), "db", "sync")
    assert (tmp_path / "third.sqlite").exists()


def test_logs_of_libraries_need_verbose(cells: Cells, manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    def status(_: object) -> dict[str, str]:
        logging.getLogger("oslo.messaging._drivers").error("noise of a library")
        logging.getLogger("cells.somewhere").warning("a warning of ours")
        return {"name": "api"}

    monkeypatch.setattr(manager, "status", status)
    assert cells("status").err == "cells: a warning of ours\n"
    assert "noise of a library" in cells("-v", "status").err
    assert "noise of a library" in cells("--debug", "status").err


def test_logging_configuration_is_restored(cells: Cells, manager: Manager) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    cells("--debug", "status")
    assert (root.level, root.handlers) == before


def test_ctrl_c_is_quiet(cells: Cells, manager: Manager) -> None:
    manager.answers = [KeyboardInterrupt()]
    result = cells("call", "east", "get")
    assert (result.status, result.out, result.err) == (130, "", "")


def run_with(streams: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program with these redirections of the shell."""
    line = f"trap '' PIPE; {shlex.join(words)} {streams}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, timeout=50)


@each("words", [(*PROGRAM, "--version"), (*STATUS_PROGRAM, "--help"), (*MANAGER, "--version")])
def test_closed_streams_are_no_error(words: tuple[str, ...]) -> None:
    """The null device takes their place (case F3)."""
    result = run_with("<&- >&- 2>&-", *words)
    assert (result.returncode, result.stderr) == (0, "")


def test_closed_stdout_prints_nothing_on_stderr() -> None:
    """(case F3)"""
    result = run_with(">&-", *PROGRAM, "--version")
    assert (result.returncode, result.stderr) == (0, "")


def test_a_wrong_command_line_with_closed_streams() -> None:
    """(case F3)"""
    assert run_with(">&- 2>&-", *PROGRAM, "bogus").returncode == 2


@each("words", [(*PROGRAM, "--version"), (*PROGRAM, "complete")])
def test_a_broken_pipe_is_quiet(words: tuple[str, ...]) -> None:
    """(case F3)"""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        process = subprocess.run(words, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False, timeout=50)
    assert (process.returncode, process.stderr) == (128 + signal.SIGPIPE, "")


def test_a_full_disk_is_an_error_of_one_line() -> None:
    """(case F3)"""
    result = run_with(">/dev/full", *PROGRAM, "complete")
    assert result.returncode == 2
    assert result.stderr.startswith("cells: ")
    assert result.stderr.count("\n") == 1
    assert run_with("2>/dev/full", *PROGRAM, "bogus").returncode == 2


def test_a_broken_connection_is_no_broken_pipe(cells: Cells, manager: Manager) -> None:
    manager.answers = [BrokenPipeError(32, "Broken pipe")]
    assert "BrokenPipeError" in cells.fail("call", "east", "get")


HOSTILE = "x\n\x1b[2Jforged\u202e"


@each("format_", ["table", "value", "shell", "json", "yaml"])
def test_a_value_of_another_cell_is_escaped_in_every_format(cells: Cells, manager: Manager, format_: str) -> None:
    """(case F4)"""
    manager.answers = [{"key": HOSTILE, HOSTILE: ["y", HOSTILE]}]
    lines = cells.succeed("call", "east", "get", "-f", format_).out.splitlines()
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith(("forged", "\\u001b")) for line in lines)


def test_json_of_another_cell_keeps_its_value(cells: Cells, manager: Manager) -> None:
    manager.answers = [{"key": HOSTILE}]
    assert cells.succeed("call", "east", "get", "-f", "json").value == {"key": HOSTILE}


def test_errors_and_trees_of_other_cells_are_escaped(cells: Cells, manager: Manager) -> None:
    """(case F4)"""
    manager.answers = [exceptions.RemoteError(f"E: {HOSTILE}"), exceptions.CellNotFound(HOSTILE)]
    for command in (("call", "east", "get"), ("ping", "east")):
        result = cells(*command)
        assert all(line.isprintable() for line in (result.out + result.err).splitlines())
    manager.tree = {"name": HOSTILE, "state": HOSTILE, "path": HOSTILE, "is_self": True, "children": []}
    result = cells("topology")
    assert all(line.isprintable() for line in (result.out + result.err).splitlines())


def test_unreachable_broker_is_named_without_its_password(cells: Cells) -> None:
    cells.config_file.write_text("[DEFAULT]\ntransport_url = rabbit://u:s3kr3t@127.0.0.1:1/\n[cells]\nname = api\n")
    for words in (("ping", "east"), ("topology",), ("status",), ("cast", "east", "wake")):
        error = cells.fail(*words)
        assert "rabbit://u:***@127.0.0.1:1/" in error
        assert "refused" in error


def test_malformed_transport_url_is_an_error(cells: Cells) -> None:
    for url in ("rabbit://u:s3kr3t/x@h/", "nope://u:s3kr3t@h/"):
        cells.config_file.write_text(f"[DEFAULT]\ntransport_url = {url}\n[cells]\nname = api\n")
        error = cells.fail("status")
        assert "transport_url" in error
        assert "s3kr3t" not in error


def test_errors_are_described_by_class_and_text() -> None:
    class Odd_Remote(ValueError):  # noqa: N801  # the suffix that rebuilt exceptions have
        pass

    assert base.describe(Odd_Remote("a\n b")) == "Odd: a b"


def test_main_takes_the_process_arguments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["cells", "bogus"])
    assert main() == 2
    assert "bogus" in capsys.readouterr().err
