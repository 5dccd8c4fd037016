"""Waiting until the cells know each other; a fake manager of the top cell gives the answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from cells import conf as cells_conf
from cells import exceptions
from cells.rpcapi import CellAnswer
from cells.sandbox import formation
from cells.sandbox.tree import parse

TREE = parse("api(b)")
TOPOLOGY = {"name": "api", "children": []}
API = CellAnswer("api", {"path": "api", "subtree": {"b": {}}})
B = CellAnswer("api!b", {"path": "api!b", "subtree": {}})


class Manager:
    """Fake CellsAPI that returns one answer after the other and repeats the last answer."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def broadcast_call(self, ctxt: Any, method: str, *, timeout: float) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def topology(self, ctxt: Any, *, timeout: float) -> Any:
        return TOPOLOGY


def wait(monkeypatch: pytest.MonkeyPatch, *answers: Any, timeout_seconds: float = 30) -> Any:
    @contextlib.contextmanager
    def manager(conf: Any) -> Iterator[Manager]:
        yield Manager(*answers)

    monkeypatch.setattr(formation, "open_manager", manager)
    monkeypatch.setattr(formation, "PAUSE_SECONDS", 0.001)
    return formation.wait(cells_conf.load([]), TREE, timeout_seconds)


def test_wait_ends_when_each_cell_knows_its_path_and_its_subtree(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = CellAnswer("api!b", {"path": "b", "subtree": {}})
    childless = CellAnswer("api", {"path": "api", "subtree": {}})
    silent = CellAnswer("api!b", error=exceptions.CellTimeout("silent"))
    busy = exceptions.ManagerTimeout("not yet")
    assert wait(monkeypatch, busy, [API], [API, lost], [childless, B], [API, silent], [API, B]) is TOPOLOGY


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([API], "api!b"),
        ([CellAnswer("api", "what?"), B], "api"),
        (exceptions.ManagerTimeout("It is asleep."), "ManagerTimeout: It is asleep."),
    ],
)
def test_timeout_names_the_missing_cells(monkeypatch: pytest.MonkeyPatch, answer: Any, told: str) -> None:
    with pytest.raises(exceptions.SandboxError) as caught:
        wait(monkeypatch, answer, timeout_seconds=0.02)
    assert told in caught.value.message
