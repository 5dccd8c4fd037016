"""Endpoint for responses: the end of the way back of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cells import exceptions
from cells.endpoints.base import Call, endpoint
from cells.path import below, check_name

#: Bound of the number of neighbors that a cell may claim; more than any cell has.
MAX_NEIGHBORS = 10_000


@endpoint(accepts=("response",), blocks=False)
def parse_responses(
    call: Call,
    responses: list[str],
    orig_message: Any = None,  # noqa: ARG001  # on the wire; nothing reads it
    branch: str = "",
    passed_on_to: Sequence[str] = (),
) -> None:
    """Deliver answers to the pending call, if this manager has it.

    :param branch: the neighbor of the sending cell whose branch gave the answers
    :param passed_on_to: the neighbors of the sending cell that will answer, too
    """
    if not isinstance(responses, list) or not all(isinstance(response, str) for response in responses):
        raise exceptions.InvalidArguments("'responses' must be a list of JSON texts.", method=call.method)
    names = _names(call, [branch] if branch else [])
    names_below = _names(call, passed_on_to)
    # An answer of this cell to itself never travels as a message.
    if call.response_to is not None and call.is_foreign:
        part = str(call.route[:-1].reversed())
        for name in names:
            part = below(part, name)
        call.cell.resolve(call.response_to, part, responses, names_below)


def _names(call: Call, names: object) -> list[str]:
    if not isinstance(names, (list, tuple)) or len(names) > MAX_NEIGHBORS:
        raise exceptions.InvalidArguments(
            f"'passed_on_to' must be a list of at most {MAX_NEIGHBORS} names.", method=call.method
        )
    try:
        return [check_name(name) for name in names]
    except exceptions.InvalidNeighbor as error:
        raise exceptions.InvalidArguments(error.message, method=call.method) from error
