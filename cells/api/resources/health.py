"""The verdict of ``cells doctor``, and the versions on the links of the tree."""

from __future__ import annotations

from typing import Any

from cells.api.route import ApiRequest
from cells.api.schemas import answer, nullable
from cells.rpcapi import version_matrix

DOCTOR = {
    **answer(
        verdict={"type": "string"},
        status={"enum": [0, 1, 2]},
        cell={"type": "string"},
        time={"type": "string", "format": "date-time"},
        seconds={"type": "number"},
        checks={"type": "array", "items": {"type": "object"}},
        findings={"type": "array", "items": {"type": "object"}},
    ),
    "description": 'The object of "cells doctor -f json"',
}
CHECK_TIMEOUT = {
    "type": "number",
    "minimum": 1,
    "maximum": 60,
    "default": 5,
    "description": "Time of each check, in seconds; there are two stages of checks",
}
TREE = {"type": "boolean", "default": False, "description": "Whether the cells below are asked, too"}
MATRIX = {
    "type": "array",
    "items": answer(
        cell={"type": "string"},
        **dict.fromkeys(
            ("reads", "neighbor", "type", "state", "announced", "spoken", "global_cap", "neighbor_cap", "reason"),
            nullable("string"),
        ),
        can_be_raised=nullable("boolean"),
    ),
    "description": 'The rows of "cells upgrade matrix"',
}


def show_doctor(request: ApiRequest) -> dict[str, Any]:
    """Examine this cell, and the cells below if the client asks for them."""
    report = request.examiner.run(request.query["timeout"], is_tree=request.query["tree"])
    return {"doctor": report}


def show_upgrade_matrix(request: ApiRequest) -> dict[str, Any]:
    """Ask all cells below for the versions of their links; a cell that does not answer has one row, with the reason."""
    ctxt, seconds = request.context, request.query["timeout"]
    matrix = request.manager.ask(ctxt, lambda api: version_matrix.ask(api, ctxt, seconds))
    columns = version_matrix.COLUMNS
    return {"upgrade_matrix": [{column: _known(column, row) for column in columns} for row in matrix.rows]}


def _known(column: str, row: Any) -> Any:
    """Return a value of a row; None if it is of a type that a later release may send."""
    kind = bool if column == "can_be_raised" else str
    value = row.get(column)
    return value if isinstance(value, kind) else None
