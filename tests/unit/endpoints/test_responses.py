"""parse_responses: the end of the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cells import exceptions
from cells.pending import Growing
from tests.unit.endpoints.cells_in_memory import CellInMemory


def answer(cell: CellInMemory, route: str = "az1!east", response_to: str | None = "m", **arguments: Any) -> None:
    cell.call("parse_responses", route, message_type="response", response_to=response_to, **arguments)


def test_hands_answers_to_the_call_that_waits() -> None:
    got: list[Sequence[str]] = []
    with CellInMemory("east") as cell:
        cell.pending.expect("m", ["az1"], 60.0, got.append, lambda part, _: f"no {part}")
        answer(cell, "az1!east", responses=["one", "two"], orig_message="{}")
        assert got == [["one", "two"]]
        assert cell.counters.as_dict() == {}


def test_the_part_is_the_whole_way_to_who_answers() -> None:
    got: list[Sequence[str]] = []
    with CellInMemory("east") as cell:
        cell.pending.expect("m", ["az1!far"], 60.0, got.append, lambda part, _: f"no {part}")
        answer(cell, "far!az1!east", responses=["one"])
        assert got == [["one"]]


def test_a_relay_answers_for_a_neighbour_of_its_own_that_can_not_by_itself() -> None:
    got: list[Sequence[str]] = []
    with CellInMemory("east") as cell:
        cell.pending.expect("m", ["az1!far"], 60.0, got.append, lambda part, _: f"no {part}")
        answer(cell, "az1!east", responses=["one", "two"], branch="far")
        assert got == [["one", "two"]]


def test_those_that_the_broadcast_was_passed_on_to_are_waited_for_too() -> None:
    got: list[Sequence[str]] = []
    with CellInMemory("east") as cell:
        cell.pending.expect("m", ["az1"], 60.0, got.append, lambda part, _: f"no {part}", growing=Growing())
        answer(cell, responses=["one"], passed_on_to=["near", "far"])
        answer(cell, "near!az1!east", responses=["two"])
        assert got == []
        answer(cell, responses=["three"], branch="far")
        assert got == [["one", "two", "three"]]
        assert cell.counters.as_dict() == {}


@pytest.mark.parametrize(("route", "response_to"), [("az2!east", "m"), ("az1!east", "other")])
def test_an_answer_that_nobody_waits_for_is_dropped_and_counted(route: str, response_to: str) -> None:
    got: list[Sequence[str]] = []
    with CellInMemory("east") as cell:
        cell.pending.expect("m", ["az1"], 60.0, got.append, lambda part, _: f"no {part}")
        answer(cell, route, response_to, responses=["one"])
        assert got == []
        assert cell.counters.as_dict() == {"dropped.response": 1}


def test_orig_message_may_be_left_out_or_anything() -> None:
    with CellInMemory("east") as cell:
        answer(cell, responses=[])
        answer(cell, responses=[], orig_message=5)
        assert cell.counters.as_dict() == {"dropped.response": 2}


@pytest.mark.parametrize("wrong", [None, 5, "text", {"a": 1}, [5], ["one", None], [["one"]]])
def test_answers_of_a_wrong_form_are_refused(wrong: Any) -> None:
    got: list[Sequence[str]] = []
    with CellInMemory("east") as cell:
        cell.pending.expect("m", ["az1"], 60.0, got.append, lambda part, _: f"no {part}")
        with pytest.raises(exceptions.InvalidArguments, match="'responses' must be a list of texts"):
            answer(cell, responses=wrong)
        assert got == []


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        *(("passed_on_to", wrong) for wrong in (5, "text", {"a": 1}, [5], [None])),
        *(("branch", wrong) for wrong in (5, None, ["a"], {})),
    ],
)
def test_who_else_answers_must_be_named_rightly(key: str, wrong: Any) -> None:
    got: list[Sequence[str]] = []
    with CellInMemory("east") as cell:
        cell.pending.expect("m", ["az1"], 60.0, got.append, lambda part, _: f"no {part}", growing=Growing())
        with pytest.raises(exceptions.InvalidArguments, match=key):
            answer(cell, responses=["one"], **{key: wrong})
        assert got == []


@pytest.mark.parametrize("message_type", ["targeted", "broadcast"])
def test_a_request_can_not_pretend_to_be_an_answer(message_type: str) -> None:
    with CellInMemory("east") as cell, pytest.raises(exceptions.UnknownMethod):
        cell.call("parse_responses", "az1!east", message_type=message_type, responses=[])
