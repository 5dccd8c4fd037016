"""Answers: one cell at a time, each once, and an end whatever the manager does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cells.rpc.answers import Answers
from cells.rpc.exceptions import Timeout
from tests.cases import each


class Manager:
    """Returns the batches of the test; raises those that are exceptions."""

    def __init__(self, *batches: Any) -> None:
        self.batches = list(batches)
        self.asked: list[tuple[str, Mapping[str, Any], str, float]] = []
        self.told: list[tuple[str, str, Mapping[str, Any]]] = []

    def ask(self, ctxt: Any, operation: str, arguments: Any, *, timeout_seconds: float, server: str, **_: Any) -> Any:
        self.asked.append((operation, arguments, server, timeout_seconds))
        batch = self.batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return batch

    def tell(self, ctxt: Any, operation: str, server: str, arguments: Any) -> None:
        self.told.append((operation, server, arguments))


def batch(*answers: tuple[str, Any], is_complete: bool = False) -> dict[str, Any]:
    # Lists: JSON has no tuples.
    return {"result": {"answers": [[cell, {"result": value}] for cell, value in answers], "is_complete": is_complete}}


def answers(manager: Manager, *cells: str, need: int | None = None, seconds: float = 60.0) -> Answers:
    started = {"id": "the-id", "server": "host-1", "cells": list(cells)}
    deadline = time.monotonic() + seconds
    return Answers(manager, {}, started, lambda answer: answer["result"], deadline=deadline, need=need)  # type: ignore[arg-type]  # stands for one


def test_answers_are_yielded_in_the_order_of_arrival() -> None:
    manager = Manager(batch(("b", 1)), batch(("c", 2), ("a", 3), is_complete=True))
    asked = answers(manager, "a", "b", "c")
    assert next(asked) == ("b", 1)
    assert asked.missing == ["a", "c"]
    assert list(asked) == [("c", 2), ("a", 3)]
    assert asked.missing == []
    assert list(asked) == []
    assert [call[:3] for call in manager.asked] == [("multicall_next", {"multicall_id": "the-id"}, "host-1")] * 2
    assert manager.told == []


def test_an_empty_list_of_cells_sends_nothing() -> None:
    manager = Manager()
    assert list(answers(manager)) == []
    assert (manager.asked, manager.told) == ([], [])


def test_errors_do_not_count_toward_need() -> None:
    manager = Manager(batch(("a", ValueError("no")), ("b", 1), ("c", 2), ("d", 3)))
    asked = answers(manager, *"abcd", need=2)
    assert [cell for cell, _ in asked] == ["a", "b", "c"]
    assert asked.missing == ["d"]
    assert manager.told == [("multicall_stop", "host-1", {"multicall_id": "the-id"})]


def test_a_need_above_the_number_of_cells_yields_all_answers() -> None:
    manager = Manager(batch(("a", 1), is_complete=True))
    assert list(answers(manager, "a", need=5)) == [("a", 1)]


def test_duplicate_and_unsolicited_answers_are_dropped() -> None:
    manager = Manager(batch(("a", 1), ("a", 2), ("x", 3)), batch(("b", 4), is_complete=True))
    assert list(answers(manager, "a", "b")) == [("a", 1), ("b", 4)]


@each("problem", [Timeout("late"), {"error": "{}"}, {"failure": "{}"}], ids=lambda p: type(p).__name__)
def test_if_the_manager_is_gone_each_missing_cell_times_out(problem: Any) -> None:
    manager = Manager(batch(("b", 1)), problem, problem, problem)
    came = list(answers(manager, "a", "b", "c"))
    assert came[0] == ("b", 1)
    assert [(cell, type(error), error.cell) for cell, error in came[1:]] == [("a", Timeout, "a"), ("c", Timeout, "c")]


def test_after_the_deadline_nothing_is_fetched() -> None:
    manager = Manager()
    assert [cell for cell, _ in answers(manager, "a", "b", seconds=-2.0)] == ["a", "b"]
    assert manager.asked == []


def test_leaving_the_block_early_stops_the_manager_once() -> None:
    manager = Manager(batch(("a", 1)))
    with answers(manager, "a", "b") as asked:
        assert next(asked) == ("a", 1)
    asked.close()
    assert manager.told == [("multicall_stop", "host-1", {"multicall_id": "the-id"})]
    assert list(asked) == []
