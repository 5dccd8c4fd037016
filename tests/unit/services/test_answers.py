"""Answers: their form, and the answer for an error."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions, failure
from cells.services import answers
from tests.cases import each


@each("answer", [{"result": None}, {"failure": "{}"}, {"error": "{}"}, {"result": 1, "later": 2}])
def test_valid_answers_are_accepted(answer: Any) -> None:
    assert answers.check(answer) is answer


@each("answer", [None, {}, {"value": 1}, [], "result", 7, ["result"]])
def test_other_values_are_refused(answer: Any) -> None:
    with pytest.raises(exceptions.MalformedMessage):
        answers.check(answer)


def test_an_error_becomes_an_answer_that_keeps_its_class_and_details() -> None:
    answer = answers.of_error(exceptions.ServiceNotAllowed("no", cell="east"))
    read = failure.from_json(answers.check(answer)["error"], ["cells.exceptions"])
    assert isinstance(read, exceptions.ServiceNotAllowed)
    assert (read.message, read.cell) == ("no", "east")


def test_an_answer_for_an_error_has_no_traceback() -> None:
    with pytest.raises(exceptions.CellsError) as caught:
        answers.check(None)
    assert caught.value.__traceback__ is not None
    assert "answers.py" not in str(answers.of_error(caught.value))
