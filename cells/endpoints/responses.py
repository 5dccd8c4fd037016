"""The endpoint at the end of the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cells import exceptions
from cells.endpoints.base import Call, endpoint
from cells.path import below, check_name

#: More than one cell has: a bound for what it may claim.
MAX_NEIGHBORS = 10_000


@endpoint(accepts=("response",), blocks=False)
def parse_responses(
    call: Call,
    responses: list[str],
    orig_message: Any = None,  # noqa: ARG001  # on the wire, unread
    branch: str = "",
    passed_on_to: Sequence[str] = (),
) -> None:
    """Hand answers to the call that waits for them, if it is this manager's.

    :param branch: the neighbor of the cell that sent them whose branch has given them
    :param passed_on_to: the neighbors of that cell that will answer, too
    """
    if not isinstance(responses, list) or not all(isinstance(response, str) for response in responses):
        raise exceptions.InvalidArguments("'responses' must be a list of JSON texts.", method=call.method)
    names = _names(call, [branch] if branch else [])
    names_below = _names(call, passed_on_to)
    # An answer from this cell itself never travels.
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
