"""Answers of many cells: each is handed out once, as soon as somebody asks, and nothing is kept for ever."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cells import exceptions
from cells.manager.answer_streams import FORGET_SECONDS, Multicall, Multicalls
from tests.cases import each


def result(value: Any) -> dict[str, Any]:
    return {"result": value}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_has_come_is_handed_out_at_once_and_once() -> None:
    multicall = Multicall(["a", "b", "c"], 0.0)
    multicall.add("b", result(1))
    multicall.add("a", {"error": "{}"})
    assert multicall.next().result(0) == {
        "answers": [("b", result(1)), ("a", {"error": "{}"})],
        "is_complete": False,
    }
    assert not multicall.next().done()


def test_who_asks_first_gets_what_comes_then() -> None:
    multicall = Multicall(["a", "b"], 0.0)
    batch = multicall.next()
    assert multicall.next() is batch
    multicall.add("b", result(1))
    assert batch.result(0) == {"answers": [("b", result(1))], "is_complete": False}
    last = multicall.next()
    multicall.add("a", result(2))
    assert last.result(0) == {"answers": [("a", result(2))], "is_complete": True}
    assert multicall.next().result(0) == {"answers": [], "is_complete": True}


def test_a_multicall_of_no_cells_is_complete() -> None:
    assert Multicall([], 0.0).next().result(0) == {"answers": [], "is_complete": True}


def test_no_answer_is_lost_between_those_who_ask_and_those_who_answer() -> None:
    cells = [f"cell-{number}" for number in range(200)]
    multicall = Multicall(cells, 0.0)
    answering = [
        threading.Thread(target=lambda part=part: [multicall.add(cell, result(cell)) for cell in part])  # type: ignore[misc]
        for part in (cells[:100], cells[100:])
    ]
    for thread in answering:
        thread.start()
    came: list[str] = []
    is_complete = False
    while not is_complete:
        batch = multicall.next().result(10)
        came += [cell for cell, _ in batch["answers"]]
        is_complete = batch["is_complete"]
    for thread in answering:
        thread.join(10)
    assert sorted(came) == sorted(cells)


def test_they_are_asked_for_by_their_id() -> None:
    multicalls = Multicalls(10)
    one, first = multicalls.start(["a"], 5.0)
    other, _ = multicalls.start(["a"], 5.0)
    assert one != other
    first.add("a", result(1))
    assert multicalls.next(one).result(0)["is_complete"]
    assert not multicalls.next(other).done()


@each("multicall_id", ["", "unknown", "x" * 10_000])
def test_one_that_is_not_there_is_an_error(multicall_id: str) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="it was restarted, or nobody has asked") as caught:
        Multicalls(10).next(multicall_id)
    assert len(str(caught.value)) < 400


def test_one_that_is_stopped_is_forgotten() -> None:
    multicalls = Multicalls(10)
    multicall_id, multicall = multicalls.start(["a"], 5.0)
    multicalls.stop(multicall_id)
    multicalls.stop(multicall_id)
    with pytest.raises(exceptions.InvalidArguments):
        multicalls.next(multicall_id)
    # What still comes harms nobody.
    multicall.add("a", result(1))


def test_who_stops_one_says_that_nobody_wants_what_is_still_to_come() -> None:
    multicalls, stops = Multicalls(10), list[str]()
    multicall_id, multicall = multicalls.start((), 5.0, is_open=True, on_stop=lambda: stops.append("stopped"))
    multicall.add("a", result(1))
    multicalls.stop("another")
    assert stops == []
    multicalls.stop(multicall_id)
    assert stops == ["stopped"]
    multicalls.stop(multicall_id)
    assert stops == ["stopped"]


@pytest.mark.parametrize("is_open", [False, True])
def test_one_that_is_complete_has_nothing_to_stop(is_open: bool) -> None:
    multicalls, stops = Multicalls(10), list[str]()
    multicall_id, multicall = multicalls.start(["a"], 5.0, is_open=is_open, on_stop=lambda: stops.append("stopped"))
    multicall.add("a", result(1))
    multicall.finish()
    multicalls.stop(multicall_id)
    assert stops == []
    # Neither is it stopped when its last answers are taken.
    multicall_id, multicall = multicalls.start(["a"], 5.0, is_open=is_open, on_stop=lambda: stops.append("stopped"))
    last = multicalls.next(multicall_id)
    multicall.finish()
    multicall.add("a", result(1))
    while not last.result(10)["is_complete"]:
        last = multicalls.next(multicall_id)
    assert stops == []
    assert multicalls._multicalls == {}


def test_what_one_that_is_stopped_has_is_kept_no_longer() -> None:
    multicall = Multicall(["a", "b"], 0.0)
    multicall.add("a", result(1))
    multicall.stop()
    multicall.add("b", result(2))
    assert multicall.next().result(0) == {"answers": [("b", result(2))], "is_complete": True}


def test_too_many_are_refused() -> None:
    multicalls = Multicalls(2)
    ids = [multicalls.start(["a"], 5.0)[0] for _ in range(2)]
    with pytest.raises(exceptions.ManagerBusy, match="max_pending_calls"):
        multicalls.start(["a"], 5.0)
    multicalls.stop(ids[0])
    multicalls.start(["a"], 5.0)


def test_those_that_were_answered_take_no_room() -> None:
    multicalls = Multicalls(1)
    for _ in range(3):
        multicall_id, multicall = multicalls.start(["a", "b"], 3600.0)
        multicall.add("a", result(1))
        assert not multicalls.next(multicall_id).result(0)["is_complete"]
        last = multicalls.next(multicall_id)
        multicall.add("b", result(2))
        assert last.result(0)["is_complete"]
    multicalls.start([], 3600.0)
    assert multicalls._multicalls == {}


def test_those_that_nobody_asks_for_are_forgotten_some_time_after_their_end() -> None:
    clock = Clock()
    multicalls = Multicalls(1, clock)
    multicalls.start(["a"], 5.0)
    clock.now += 5.0 + FORGET_SECONDS
    with pytest.raises(exceptions.ManagerBusy):
        multicalls.start(["a"], 5.0)
    clock.now += 0.1
    multicalls.start(["a"], 5.0)
    assert len(multicalls._multicalls) == 1
