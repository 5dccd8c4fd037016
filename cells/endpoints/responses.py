"""The endpoint at the end of the way back."""

from __future__ import annotations

from typing import Any

from cells import exceptions
from cells.endpoints.base import Call, endpoint


@endpoint(accepts=("response",), blocks=False)
def parse_responses(call: Call, responses: list[str], orig_message: Any = None) -> None:  # noqa: ARG001  # on the wire, unread
    """Hand answers to the call that waits for them, if it is this manager's."""
    if not isinstance(responses, list) or not all(isinstance(response, str) for response in responses):
        raise exceptions.InvalidArguments("'responses' must be a list of JSON texts.", method=call.method)
    if call.response_to is not None:
        # The neighbour through which it came; an answer from this cell itself never travels.
        call.cell.resolve(call.response_to, call.sender, responses)
