"""Cells that the answers to a broadcast name, against the branch that has sent the answers."""

from __future__ import annotations

import json

from cells import exceptions
from cells.messages import EncodedResponse, Response
from cells.routing import named_cells
from tests.cases import each


def answer(cell: object) -> EncodedResponse:
    return EncodedResponse(json.dumps({"cell_name": cell, "value": float("nan"), "failure": False}))


@each("cell", ["top!api!east", "top!api!east!az1", "top!api!east!api!west"])
def test_a_branch_answers_for_its_cells(cell: str) -> None:
    assert named_cells.of_branch("top!api", "east", [answer(cell)]) == ((answer(cell),), None)


@each("cell", ["top!api!west", "top!api", "top", "top!api!eastern", "east", "", None, 7, ["top!api!east"]])
def test_an_answer_for_another_cell_becomes_an_error(cell: object) -> None:
    own = answer("top!api!east!az1")
    (kept, error), problem = named_cells.of_branch("top!api", "east", [answer(cell), own, answer(cell)])
    assert kept is own
    assert Response.from_json(error.text, ["cells.exceptions"]).cell == "top!api!east"
    assert isinstance(problem, exceptions.MalformedMessage)


@each("text", ["", "no JSON", "[]", "[" * 100_000, '{"value": 1}', '{"cell_name": "\\q"}', "NaN"])
def test_an_answer_that_cannot_be_read_becomes_an_error(text: str) -> None:
    (error,), _ = named_cells.of_branch("api", "east", [EncodedResponse(text)])
    assert Response.from_json(error.text, ()).cell == "api!east"
