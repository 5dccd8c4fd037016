"""Output of the benchmark: a wrong figure in the README would be worse than none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import arrivals, endpoints, profile, readme, sender
from bench.parts import PARTS
from bench.report import Aim, Row, csv_text

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "doc" / "source" / "images"
MAX_PLOT_BYTES = 60_000

HIT = Row("relay, 128 messages in a cast", 5, "20000 messages/s", 1.6, "x", Aim(">=", 1.5, "x"))
MISS = Row("call over one hop", 500, "p50 5.00 ms", 2.5, "x", Aim("<=", 2.3, "x"))
BROADCAST = Row("broadcast to 100 cells", 20, "", 1.1, "x")
MEASURED = {"relay": [MISS, HIT], "calls": [HIT, MISS], "broadcast": [BROADCAST, MISS]}


def test_readme_gets_the_headline_figures_and_keeps_its_other_text(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    readme.write(file, {"cores": "2"}, MEASURED)
    text = file.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert [line.split(" | ")[0].strip("| ") for line in lines] == [HIT.label, MISS.label, BROADCAST.label]
    assert "cores 2" in text
    assert "MISSED" in lines[1]
    readme.write(file, {"cores": "2"}, MEASURED)
    assert file.read_text() == text


def test_readme_gets_no_figures_of_an_incomplete_run(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("<!-- bench -->\nold\n<!-- /bench -->\n")
    with pytest.raises(ValueError, match="relay"):
        readme.write(file, {}, {**MEASURED, "relay": []})
    assert "old" in file.read_text()


def test_readme_of_the_project_has_the_marks() -> None:
    text = (ROOT / "README.md").read_text()
    assert [text.count(mark) for mark in readme.MARKS] == [1, 1]


def test_csv_has_a_line_for_each_row() -> None:
    lines = csv_text([HIT, MISS]).splitlines()
    assert lines[1:] == [
        '"relay, 128 messages in a cast",5,20000 messages/s,1.60x,>= 1.5x,met',
        "call over one hop,500,p50 5.00 ms,2.50x,<= 2.3x,MISSED",
    ]


def test_duplicate_casts_are_an_error() -> None:
    found = endpoints.summary([(1, 10.0), (2, 11.0), (2, 12.0)], 3)
    assert (found["count"], found["different"], found["last_at"]) == (3, 2, 12.0)
    with pytest.raises(RuntimeError, match="2 of 3"):
        arrivals.last_arrival(lambda series, expected: found, "any", 3)


def test_missing_casts_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "STALL_SECONDS", 0.0)
    with pytest.raises(TimeoutError, match="1 of 2"):
        arrivals.last_arrival(lambda series, expected: endpoints.summary([(1, 10.0)], expected), "any", 2)


def test_relayed_messages_have_the_documented_size() -> None:
    alone = sender.casts(("api", "relay", "next"), "0.128", 2, "1.0")
    assert {len(message.to_json()) for message in alone} == {sender.SIZE_BYTES}
    shared = sender.casts(("api", "relay", "next"), "0.128", 2)
    assert all(message.may_share_a_cast for message in shared)


def test_profile_counts_the_innermost_library(tmp_path: Path) -> None:
    stacks = tmp_path / "relay.txt"
    stacks.write_text(
        "thread (1): a;run (/x/cells/routing/router.py:1);decode (/usr/lib/python3.11/json/decoder.py:3) 3\n"
        "thread (1): a;run (/x/cells/routing/router.py:1) 1\n"
    )
    assert profile.libraries(stacks) == {"json": 75.0, "cells": 25.0}


def test_figures_of_the_documentation_exist_and_are_small() -> None:
    named = set(re.findall(r"\.\./images/(\S+)", (ROOT / "doc" / "source" / "contributor" / "speed.rst").read_text()))
    assert {f"{part}.csv" for part in PARTS} <= named
    assert named | {"growth.json"} == {file.name for file in IMAGES.iterdir()}
    assert [file.name for file in IMAGES.glob("*.svg") if file.stat().st_size > MAX_PLOT_BYTES] == []
