"""Endpoint parse_responses: the end of the way back of an answer."""

from __future__ import annotations

import contextlib
import tracemalloc
from typing import Any

import pytest

from cells import exceptions
from cells.endpoints.responses import MAX_NEIGHBORS
from cells.path import MAX_NAME_LENGTH
from cells.routing.waiting_call import Growing, Wait
from tests.cases import each
from tests.unit.endpoints.cells_in_memory import CellInMemory
from tests.unit.routing.test_pending import Missing, Taken

#: Bound of the memory for one answer.
PEAK_BYTES = 20_000_000


def answer(cell: CellInMemory, route: str = "az1!east", response_to: str | None = "m", **arguments: Any) -> None:
    cell.call("parse_responses", route, message_type="response", response_to=response_to, **arguments)


def expect(cell: CellInMemory, part: str = "az1", growing: Growing | None = None) -> list[list[str]]:
    """Wait for the answers of ``part``; return a list that gets them as one item."""
    got: list[list[str]] = []
    sink = Taken(lambda reply: got.append(reply.to_wire()))
    cell.pending.expect("m", [part], Wait(60.0, growing=growing), sink, Missing())
    return got


def test_answers_reach_the_pending_call() -> None:
    with CellInMemory("east") as cell:
        got = expect(cell)
        answer(cell, "az1!east", responses=["one", "two"], orig_message="{}")
        assert got == [["one", "two"]]
        assert cell.counters.as_dict() == {}


def test_the_part_is_the_whole_way_to_the_answering_cell() -> None:
    with CellInMemory("east") as cell:
        got = expect(cell, "az1!far")
        answer(cell, "far!az1!east", responses=["one"])
        assert got == [["one"]]


def test_a_relay_may_answer_for_its_neighbor() -> None:
    with CellInMemory("east") as cell:
        got = expect(cell, "az1!far")
        answer(cell, "az1!east", responses=["one", "two"], branch="far")
        assert got == [["one", "two"]]


def test_cells_that_got_the_broadcast_later_are_waited_for() -> None:
    with CellInMemory("east") as cell:
        got = expect(cell, growing=Growing())
        answer(cell, responses=["one"], passed_on_to=["near", "far"])
        answer(cell, "near!az1!east", responses=["two"])
        assert got == []
        answer(cell, responses=["three"], branch="far")
        assert got == [["one", "two", "three"]]
        assert cell.counters.as_dict() == {"broadcast.complete": 1}


@pytest.mark.parametrize(
    ("route", "response_to", "counted"),
    [("az2!east", "m", {"dropped.unasked_branch": 1}), ("az1!east", "other", {})],
    ids=["another branch (case G7)", "another message"],
)
def test_an_unsolicited_answer_is_dropped_and_counted(route: str, response_to: str, counted: dict[str, int]) -> None:
    with CellInMemory("east") as cell:
        got = expect(cell)
        answer(cell, route, response_to, responses=["one"])
        assert got == []
        assert cell.counters.as_dict() == {"dropped.response": 1, **counted}


def test_orig_message_may_be_left_out_or_anything() -> None:
    with CellInMemory("east") as cell:
        answer(cell, responses=[])
        answer(cell, responses=[], orig_message=5)
        assert cell.counters.as_dict() == {"dropped.response": 2}


@each("wrong", [None, 5, "text", {"a": 1}, [5], ["one", None], [["one"]]])
def test_answers_of_a_wrong_form_are_refused(wrong: Any) -> None:
    with CellInMemory("east") as cell:
        got = expect(cell)
        with pytest.raises(exceptions.InvalidArguments):
            answer(cell, responses=wrong)
        assert got == []


WRONG_NAMES = (5, None, {}, "", "a!b", "a b", " a", "a\n", "\ud800", "x" * (MAX_NAME_LENGTH + 1), "any!")


@each(
    ("key", "wrong"),
    [
        *(("passed_on_to", wrong) for wrong in (5, "text", {"a": 1}, None)),
        *(("passed_on_to", ["az1", wrong]) for wrong in WRONG_NAMES),
        # Most answers have no branch.
        *(("branch", wrong) for wrong in (5, ["a"], {"a": 1}, *(wrong for wrong in WRONG_NAMES if wrong))),
    ],
)
def test_invalid_names_of_further_answering_cells_are_refused(key: str, wrong: Any) -> None:
    with CellInMemory("east") as cell:
        got = expect(cell, growing=Growing())
        with pytest.raises(exceptions.InvalidArguments):
            answer(cell, responses=["one"], **{key: wrong})
        assert got == []
        answer(cell, responses=["two"])
        assert got == [["two"]]


def test_a_cell_has_only_so_many_neighbors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cells.endpoints.responses.MAX_NEIGHBORS", 3)
    with CellInMemory("east") as cell:
        got = expect(cell, growing=Growing())
        with pytest.raises(exceptions.InvalidArguments):
            answer(cell, responses=["one"], passed_on_to=["a", "b", "c", "d"])
        answer(cell, responses=["two"], passed_on_to=["a", "b", "c"])
        assert got == []
        for name in ("a", "b", "c"):
            answer(cell, f"{name}!az1!east", responses=[name])
        assert got == [["two", "a", "b", "c"]]


@pytest.mark.parametrize("count", [MAX_NEIGHBORS, 1_000_000], ids=["as many as are taken", "more"])
def test_a_long_route_and_many_names_cost_next_to_nothing(count: int) -> None:
    """A short message would cause many long texts if each name were joined to the whole route."""
    route = "!".join([*(f"{number:0255}" for number in range(400)), "az1", "east"])
    names = [str(number) for number in range(count)]
    with CellInMemory("east") as cell:
        expect(cell, growing=Growing())
        tracemalloc.start()
        try:
            with contextlib.suppress(exceptions.CellsError):
                answer(cell, route, responses=["one"], passed_on_to=names)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # Each name with its route is a text of 100,000 characters: a gigabyte for all names.
        assert len(route) * MAX_NEIGHBORS > 10**9
        assert peak_bytes < PEAK_BYTES


@pytest.mark.parametrize("message_type", ["targeted", "broadcast"])
def test_a_request_cannot_pretend_to_be_an_answer(message_type: str) -> None:
    with CellInMemory("east") as cell, pytest.raises(exceptions.UnknownMethod):
        cell.call("parse_responses", "az1!east", message_type=message_type, responses=[])
