"""``cells watch``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cells import exceptions
from cells.cli import watch_view
from cells.cli.rates import Rates, Sample
from cells.cmd.cells import main
from tests.cases import each
from tests.unit.cli.conftest import Cells, Manager

QUICKLY = ("--interval", "0.001")


def link(name: str, state: str = "up", **values: Any) -> dict[str, Any]:
    known = {"is_parent": False, "driver": "rpc", "since_seconds": 90061.0, "round_trip_seconds": 0.0021}
    return {
        "name": name,
        "cell": "api",
        "state": state,
        "problem": None,
        "in_flight": 0,
        "lost": 0,
        "spoken": "1.4",
        **known,
        **values,
    }


LINKS = [link("east"), link("west", "unreachable", problem="Its broker is down.", in_flight=5, lost=2)]


def status(host: str = "m1", pid: int = 1, **counters: int) -> dict[str, Any]:
    return {"name": "api", "host": host, "pid": pid, "release": "1.0", "pending_calls": 3, "counters": counters}


@pytest.fixture
def busy(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> Manager:
    """A manager that has sent 7 messages more at each request."""
    manager.seen = LINKS
    manager.described = status(sent=0)

    def ask(_: object) -> dict[str, Any]:
        if manager.answers:
            answer = manager.answers.pop(0)
            if isinstance(answer, BaseException):
                raise answer
        manager.described = status(sent=manager.described["counters"]["sent"] + 7)
        return manager.described

    monkeypatch.setattr(manager, "status", ask)
    return manager


def test_rates_are_the_differences_of_the_counts_of_one_process() -> None:
    rates = Rates()
    assert rates.sample(status("m1", sent=100), [], 1.0).rates == {}
    assert rates.sample(status("m2", sent=5000), [], 2.0).rates == {}
    assert rates.sample(status("m1", sent=300, received=10), [], 3.0).rates == {"sent": 100.0, "received": 5.0}
    assert rates.sample(status("m2", sent=5001), [], 4.0).rates == {"sent": 0.5}
    # It has started again, with another process number and with the same one.
    assert rates.sample(status("m1", 2, sent=3), [], 5.0).rates == {}
    assert rates.sample(status("m1", 2, sent=1), [], 6.0).rates == {}
    assert rates.sample(status("m1", 2, sent=2), [], 7.0).rates == {"sent": 1.0}


def test_a_sample_without_an_answer_keeps_the_last_links() -> None:
    rates = Rates()
    last = rates.sample(status(sent=1), LINKS, 1.0)
    failed = rates.failed("ManagerTimeout: away")
    assert (failed.links, failed.rates, failed.is_well) == (last.links, {}, False)


def screen(sample: Sample, width: int, height: int = 40) -> list[str]:
    return [line.text for line in watch_view.draw(sample, width, height, "19:00:00")]


def sample_of(links: list[dict[str, Any]]) -> Sample:
    rates = Rates()
    rates.sample(status(sent=1), links, 1.0)
    return rates.sample(status(sent=3, failed=1), links, 2.0)


def test_problems_come_first() -> None:
    shown = screen(sample_of(LINKS), 120)
    assert shown[0] == "api   manager m1 (1.0)   19:00:00   3 pending calls   5 waiting"
    assert shown[1:3] == ["received 0.0/s   sent 2.0/s   failed 1.0/s", ""]
    names = [line.split()[0] for line in shown if line.startswith(("west", "east"))]
    assert names == ["west", "east"]
    assert shown[-1] == "Its broker is down."


@each("width", range(1, 130, 7))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    hostile = [link("東" * 100, "silent"), link("x\x1b[2J" * 9, problem="\x1b]0;title\x07" + "p" * 300)]
    shown = screen(sample_of([*LINKS, *hostile]), width)
    assert max(watch_view._width(line) for line in shown) <= max(width, 20)
    assert all(line.isprintable() for line in shown)
    for text in ("unreachable", "link") if width > 60 else ("link",):
        assert any(text in line for line in shown)


@each("height", [1, 2, 5, 10])
def test_no_screen_is_higher_than_the_terminal(height: int) -> None:
    shown = screen(sample_of([link(f"c{number}") for number in range(100)]), 80, height)
    assert len(shown) <= max(height, 2)
    assert "more" in shown[-1]


def test_without_a_terminal_lines_are_written(cells: Cells, busy: Manager) -> None:
    lines = cells.degraded("watch", "--count", "2", *QUICKLY).out.splitlines()
    assert ["m1: links: 1 unreachable, 1 up" in line for line in lines] == [True, False, True]
    assert lines[1].endswith("Z west: unreachable: Its broker is down.")
    assert "sent" in lines[2]
    assert "sent" not in lines[0]


def test_json_has_an_object_for_each_sample(cells: Cells, busy: Manager) -> None:
    busy.seen = LINKS[:1]
    found = cells.succeed("watch", "--count", "1", "-f", "json").value
    assert (found["manager"]["host"], found["links"][0]["name"], found["error"]) == ("m1", "east", None)


def test_a_manager_that_is_away_for_a_while(cells: Cells, busy: Manager) -> None:
    busy.seen = LINKS[:1]
    busy.answers = [None, exceptions.ManagerTimeout("The manager is away."), None]
    lines = cells.succeed("watch", "--count", "3", *QUICKLY).out.splitlines()
    assert ["ManagerTimeout: The manager is away." in line for line in lines] == [False, True, False]
    busy.answers = [exceptions.ManagerTimeout("The manager is away.")]
    assert "away" in cells.fail("watch", "--count", "3")


def test_ctrl_c_ends_it_quietly(cells: Cells, busy: Manager) -> None:
    busy.answers = [None, KeyboardInterrupt()]
    result = cells("watch", *QUICKLY)
    assert (result.status, result.err) == (130, "")


#: written after the output of a command
END = "<end>"


@pytest.fixture
def on_terminal(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run a command with a terminal as its stdout; return the exit status and the output."""

    def run(*words: str) -> tuple[int, str]:
        ours, theirs = os.openpty()
        with os.fdopen(theirs, "w") as stdout, open(ours, "rb", buffering=0) as output:
            monkeypatch.setattr(sys, "stdout", stdout)
            found = main(["--config-file", str(cells.config_file), *words])
            stdout.write(END)
            stdout.flush()
            # The system passes on the output of a terminal in pieces.
            out = b""
            while END not in out.decode(errors="ignore"):
                out += output.read(100_000)
            return found, out.decode().removesuffix(END)

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return run


def test_a_terminal_is_redrawn(
    on_terminal: Callable[..., tuple[int, str]], busy: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy.answers = [None, None, KeyboardInterrupt()]
    found, out = on_terminal("watch", *QUICKLY)
    assert found == 130
    assert out.count("\x1b[H") == 2
    assert "\x1b[31mwest" in out
    assert out.rstrip().endswith("\x1b[?25h")
    monkeypatch.setenv("NO_COLOR", "1")
    _, out = on_terminal("watch", "--count", "1")
    assert "\x1b[H" in out
    assert "\x1b[31m" not in out


def test_a_dumb_terminal_gets_lines(
    on_terminal: Callable[..., tuple[int, str]], busy: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    _, out = on_terminal("watch", "--count", "1")
    assert "\x1b" not in out
