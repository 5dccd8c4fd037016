"""Progress of a command that takes long."""

from __future__ import annotations

from cells.cli.progress import QUIET_SECONDS, Progress, shown
from cells.cmd.streams import SafeStream
from tests.clock import Clock


class Terminal:
    """A terminal that keeps what is written to it."""

    def __init__(self, *, is_terminal: bool = True) -> None:
        self.text = ""
        self._is_terminal = is_terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return self._is_terminal

    @property
    def lines(self) -> list[str]:
        """The lines that a reader sees: a carriage return begins the line again."""
        seen = []
        for line in self.text.split("\n"):
            row = ""
            for part in line.split("\r"):
                row = part + row[len(part) :]
            seen.append(row.rstrip())
        return seen


def test_the_line_is_shown_when_the_command_is_quiet_and_removed_before_its_output() -> None:
    clock, terminal = Clock(), Terminal()
    progress = Progress(terminal.write, "cells: topology runs", clock)
    progress.show()
    assert terminal.text == ""
    clock.advance(QUIET_SECONDS)
    progress.show()
    assert terminal.lines == ["cells: topology runs: 2 s"]
    clock.advance(100.0)
    progress.show()
    assert terminal.lines == ["cells: topology runs: 102 s"]
    progress.clear()
    terminal.write("api\n")
    assert terminal.lines == ["api", ""]
    progress.show()
    assert terminal.lines == ["api", ""]


def test_output_removes_the_line() -> None:
    terminal = Terminal()
    stdout, stderr = (SafeStream(terminal, may_fail=False) for _ in range(2))  # type: ignore[arg-type]
    with shown("cells: ping runs", stderr, stdout):
        assert stdout.before_write is not None
        stdout.write("answer\n")
    assert stdout.before_write is None
    assert terminal.lines == ["answer", ""]


def test_nothing_is_shown_without_a_terminal() -> None:
    stream = SafeStream(Terminal(is_terminal=False), may_fail=False)  # type: ignore[arg-type]
    with shown("cells: ping runs", stream, stream):
        assert stream.before_write is None
