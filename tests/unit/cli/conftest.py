"""``cells`` in this process, with a configuration and a database per test, and a fake manager."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cells.cli import connection
from cells.cmd.cells import main


@dataclass(frozen=True)
class Result:
    """Exit status and output of a command."""

    status: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        return json.loads(self.out)


class Cells:
    """Run a command with the configuration file of the test: ``cells("neighbor", "list")``."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.config_file = directory / "cells.conf"
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.configure()

    def configure(self, **options: str) -> None:
        """Write the configuration file anew, with these options of [cells]."""
        lines = [f"{name} = {value}" for name, value in {"name": "api", **options}.items()]
        self.config_file.write_text(
            "\n".join(["[cells]", *lines, "[database]", f"connection = sqlite:///{self.directory}/cells.sqlite", ""])
        )

    def __call__(self, *words: str, stdin: str = "") -> Result:
        return self.bare("--config-file", str(self.config_file), *words, stdin=stdin)

    def bare(self, *words: str, stdin: str = "") -> Result:
        """Run a command without a configuration file."""
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = main(words)
        out, err = self._capsys.readouterr()
        return Result(status, out, err)

    def degraded(self, *words: str) -> Result:
        """Run a command that must show a problem."""
        result = self(*words)
        assert result.status == 1
        return result

    def succeed(self, *words: str, stdin: str = "") -> Result:
        """Run a command that must succeed."""
        result = self(*words, stdin=stdin)
        assert (result.status, result.err) == (0, "")
        return result

    def fail(self, *words: str, status: int = 2, stdin: str = "") -> str:
        """Run a command that must fail, with one line on stderr and an empty stdout; return that line."""
        result = self(*words, stdin=stdin)
        assert (result.status, result.out) == (status, "")
        assert result.err.startswith("cells: ")
        assert result.err.count("\n") == 1
        return result.err


@pytest.fixture
def cells(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cells:
    return Cells(tmp_path, capsys, monkeypatch)


class Manager:
    """Fake CellsAPI that returns the answers of the test and records its calls."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answers: list[Any] = []
        self.tree: dict[str, Any] = {}
        self.seen: list[dict[str, Any]] = []
        self.described: dict[str, Any] = {}

    def _answer(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def call(self, ctxt: Any, cell: str, method: str, kwargs: Any = None, *, timeout: float | None = None) -> Any:
        self.asked.append(("call", cell, method, dict(kwargs or {}), timeout))
        return self._answer()

    def locate(self, ctxt: Any, cell: str) -> str:
        self.asked.append(("locate", cell))
        return str(self._answer())

    def cast(self, ctxt: Any, cell: str, method: str, kwargs: Any = None) -> None:
        self.asked.append(("cast", cell, method, dict(kwargs or {})))

    def broadcast_call(
        self, ctxt: Any, method: str, kwargs: Any = None, *, direction: str = "down", timeout: float | None = None
    ) -> list[Any]:
        self.asked.append(("broadcast_call", method, dict(kwargs or {}), direction, timeout))
        return list(self._answer())

    def broadcast_cast(self, ctxt: Any, method: str, kwargs: Any = None, *, direction: str = "down") -> None:
        self.asked.append(("broadcast_cast", method, dict(kwargs or {}), direction))

    def topology(self, ctxt: Any, *, timeout: float | None = None) -> dict[str, Any]:
        self.asked.append(("topology", timeout))
        return self.tree

    def neighbors(self, ctxt: Any) -> list[dict[str, Any]]:
        return self.seen

    def status(self, ctxt: Any) -> dict[str, Any]:
        return self.described


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    manager = Manager()

    @contextlib.contextmanager
    def to_manager(conf: Any, timeout_seconds: float | None = None) -> Iterator[Manager]:
        yield manager

    monkeypatch.setattr(connection, "to_manager", to_manager)
    return manager
