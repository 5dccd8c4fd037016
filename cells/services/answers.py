"""Answer of a service of another cell: ``{"result": value}``, ``{"failure": text}`` or ``{"error": text}``.

``failure`` is oslo.messaging's text of the exception, which relays do not read: only the caller
knows which exception classes it rebuilds, and only the caller needs to have them installed.
``error`` is an error of cells itself, as :mod:`cells.failure` writes it.
"""

from __future__ import annotations

from typing import Any

from cells import exceptions, failure

Answer = dict[str, Any]

RESULT, FAILURE, ERROR = "result", "failure", "error"


def of_error(error: BaseException) -> Answer:
    """Return the answer for an error of cells on the way."""
    return {ERROR: failure.to_json(error)}


def check(answer: object) -> Answer:
    """Return ``answer`` if it has the form of an answer.

    :raises cells.exceptions.MalformedMessage: ``answer`` is no object with one of the three keys
    """
    if not isinstance(answer, dict) or not answer.keys() & {RESULT, FAILURE, ERROR}:
        raise exceptions.MalformedMessage(
            "The answer of a service must be an object with 'result', 'failure' or 'error', "
            f"not {type(answer).__name__}."
        )
    return answer
