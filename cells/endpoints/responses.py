"""The endpoint at the end of the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cells import exceptions
from cells.endpoints.base import Call, endpoint


@endpoint(accepts=("response",), blocks=False)
def parse_responses(
    call: Call,
    responses: list[str],
    orig_message: Any = None,  # noqa: ARG001  # on the wire, unread
    branch: str = "",
    passed_on_to: Sequence[str] = (),
) -> None:
    """Hand answers to the call that waits for them, if it is this manager's.

    :param branch: the neighbour of the cell that sent them whose branch has given them
    :param passed_on_to: the neighbours of that cell that will answer, too
    """
    for name, texts in (("responses", responses), ("passed_on_to", passed_on_to)):
        if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
            raise exceptions.InvalidArguments(f"{name!r} must be a list of texts.", method=call.method)
    if not isinstance(branch, str):
        raise exceptions.InvalidArguments("'branch' must be a text.", method=call.method)
    # An answer from this cell itself never travels.
    if call.response_to is not None and call.is_foreign:
        part = call.route[:-1].reversed()
        if branch:
            part = part.child(branch)
        deeper = [str(part.child(name)) for name in passed_on_to]
        call.cell.resolve(call.response_to, str(part), responses, deeper)
