"""``cells sandbox`` and ``cells --sandbox CELL``, with a fake sandbox; tests/unit/sandbox tests the real one."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from cells import exceptions
from cells.path import CellPath
from cells.sandbox import databases, links, sandbox, state, transports
from cells.sandbox.layout import Layout
from cells.sandbox.sandbox import CellStatus, Up
from cells.sandbox.state import State
from cells.sandbox.tree import Tree, parse
from tests.cases import each
from tests.unit.cli.conftest import Cells, Manager

TREE = parse("api(b)")
B = {"name": "b", "path": "api!b", "state": "up", "is_self": False, "children": []}
TOPOLOGY = {"name": "api", "path": "api", "state": "up", "is_self": True, "children": [B]}


class Sandbox:
    """Fake sandbox that records its calls and returns the answer of the test."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.directory = Path("/s")
        self.answer: Any = None

    def __call__(self, directory: str | None) -> Sandbox:
        self.asked.append(directory)
        return self

    def up(self, tree: Tree | None, transport: str | None, links: str | None, report: Any) -> Any:
        self.asked.append((tree, transport, links))
        report("Starting.")
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer

    def status(self) -> Any:
        return self.answer

    def down(self) -> Any:
        return self.answer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    stand_in = Sandbox()
    monkeypatch.setattr(sandbox, "Sandbox", stand_in)
    monkeypatch.setenv("CELLS_SANDBOX", "/s")
    return stand_in


def test_up_shows_the_tree_and_commands_to_use_it(cells: Cells, asked: Sandbox) -> None:
    asked.answer = Up(TREE, TOPOLOGY, ("api", "b"))
    result = cells.bare("sandbox", "up", "--tree", "api(b)", "--transport", "zmq", "--links", "direct")
    assert (result.status, result.err) == (0, "")
    assert asked.asked == [None, (TREE, "zmq", "direct")]
    assert result.out == (
        "Starting.\nThe sandbox is up:\n    api *\n    └── b\nUse it:\n"
        "    cells --sandbox api ping b\n    cells --sandbox b topology\n    cells --sandbox api broadcast ping\n"
        "    cells sandbox status\nRemove it:\n    cells sandbox down\n"
    )


def test_up_reports_managers_that_ran_before(cells: Cells, asked: Sandbox) -> None:
    asked.answer = Up(TREE, TOPOLOGY, ())
    assert "up already:" in cells.bare("sandbox", "up").out
    asked.answer = Up(TREE, TOPOLOGY, ("b",))
    assert "without b" in cells.bare("sandbox", "up").out
    assert asked.asked == [None, (None, None, None)] * 2


def test_commands_for_another_directory_export_it(cells: Cells, asked: Sandbox) -> None:
    asked.answer = Up(parse("o'brien"), {**TOPOLOGY, "children": []}, ())
    asked.directory = Path("/two words")
    lines = cells.bare("sandbox", "up", "--directory", "/two words").out.splitlines()
    assert asked.asked[0] == "/two words"
    assert "    export CELLS_SANDBOX='/two words'" in lines
    assert """    cells --sandbox 'o'"'"'brien' broadcast ping""" in lines
    assert not any("topology" in line for line in lines)


def test_malformed_tree_is_a_wrong_command_line(cells: Cells, asked: Sandbox) -> None:
    result = cells.bare("sandbox", "up", "--tree", "api(")
    assert (result.status, result.out) == (2, "")
    assert "at character 5" in result.err
    assert asked.asked == []


def test_error_of_up_is_one_line(cells: Cells, asked: Sandbox) -> None:
    asked.answer = exceptions.SandboxError("The manager of cell b\nis broken.")
    result = cells.bare("sandbox", "up")
    assert (result.status, result.err) == (2, "cells: SandboxError: The manager of cell b is broken.\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_signals_interrupt_up_like_ctrl_c(cells: Cells, asked: Sandbox, number: signal.Signals) -> None:
    def call_handler() -> None:
        # The handler is called directly: another thread of this process could receive a real signal.
        handler = signal.getsignal(number)
        assert callable(handler)
        handler(number, None)

    asked.answer = call_handler
    # Under nohup the process ignores SIGHUP.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        assert cells.bare("sandbox", "up").status == 128 + number
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
    asked.answer = KeyboardInterrupt()
    assert cells.bare("sandbox", "up").status == 130


def test_up_keeps_ignoring_the_end_of_the_terminal_under_nohup(cells: Cells, asked: Sandbox) -> None:
    during: list[Any] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        asked.answer = lambda: during.append(signal.getsignal(signal.SIGHUP)) or Up(TREE, TOPOLOGY, ())
        assert cells.bare("sandbox", "up").status == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert during == [signal.SIG_IGN]


def test_status(cells: Cells, asked: Sandbox) -> None:
    asked.answer = [
        CellStatus(CellPath(["api"]), 7, 71.5, Path("/s/api/manager.log")),
        CellStatus(CellPath(["api", "b"]), None, None, Path("/s/b/manager.log")),
    ]
    assert cells.bare("sandbox", "status", "-f", "json").value == [
        {"cell": "api", "path": "api", "state": "running", "pid": 7, "memory_mb": 71.5, "log": "/s/api/manager.log"},
        {"cell": "b", "path": "api!b", "state": "dead", "pid": None, "memory_mb": None, "log": "/s/b/manager.log"},
    ]


def test_no_sandbox_is_no_error(cells: Cells, asked: Sandbox) -> None:
    result = cells.bare("sandbox", "status", "-f", "json")
    assert (result.status, result.value) == (0, [])
    assert "/s" in result.err


def test_down_reports_whether_there_was_a_sandbox(cells: Cells, asked: Sandbox) -> None:
    asked.answer = True
    removed = cells.bare("sandbox", "down").out
    asked.answer = False
    result = cells.bare("sandbox", "down", "--directory", "x")
    assert result.status == 0
    assert "/s" in result.out
    assert "/s" not in removed
    assert asked.asked == [None, "x"]


# cells --sandbox CELL


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Files of a sandbox without running managers."""
    layout = Layout(tmp_path_factory.mktemp("sandbox"))
    written = State(TREE, transports.BROKERLESS)
    state.write(layout, written)
    transport = transports.transport_of(layout, written)
    databases.create(layout, TREE, transport, links.links_of(layout, written, transport))
    return layout


@pytest.fixture
def layout(stopped: Layout, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("CELLS_SANDBOX", str(stopped.directory))
    return stopped


def test_option_sandbox_selects_the_configuration_of_the_cell(cells: Cells, layout: Layout) -> None:
    result = cells.bare("--sandbox", "b", "neighbor", "list", "-f", "json")
    assert [(row["name"], row["type"]) for row in result.value] == [("api", "parent")]


def test_option_sandbox_selects_the_manager_of_the_cell(
    cells: Cells, layout: Layout, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.described = {"name": "b"}
    assert cells.bare("--sandbox", "b", "status", "-f", "json").value == {"name": "b"}


@each("name", ["c", ""])
def test_unknown_cell_is_refused_with_the_known_cells(cells: Cells, layout: Layout, name: str) -> None:
    result = cells.bare("--sandbox", name, "neighbor", "list")
    assert (result.status, result.out) == (2, "")
    assert "api, b" in result.err


def test_missing_sandbox_is_an_error(cells: Cells, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLS_SANDBOX", str(layout.directory / "elsewhere"))
    result = cells.bare("--sandbox", "api", "neighbor", "list")
    assert result.status == 2
    assert "cells sandbox up" in result.err


@pytest.mark.parametrize("option", ["--config-file", "--config-dir"])
def test_sandbox_and_configuration_file_exclude_each_other(cells: Cells, layout: Layout, option: str) -> None:
    result = cells.bare("--sandbox", "api", option, "x", "neighbor", "list")
    assert (result.status, result.out) == (2, "")
    assert "--sandbox" in result.err


def test_option_sandbox_precedes_the_command(cells: Cells, layout: Layout) -> None:
    assert cells.bare("neighbor", "list", "--sandbox", "api").status == 2
