"""What comes back from a service of another cell: ``{"result": value}`` or ``{"failure": text}``.

The failure is oslo.messaging's text, passed on unread: only the caller knows which
classes of errors it rebuilds, and only it needs to have them installed.  ``{"error": text}``
is what cells itself has to say, as :mod:`cells.failure` writes it.
"""

from __future__ import annotations

from typing import Any

from cells import exceptions, failure

Answer = dict[str, Any]

RESULT, FAILURE, ERROR = "result", "failure", "error"


def of_error(error: BaseException) -> Answer:
    """The answer that stands for an error on the way."""
    return {ERROR: failure.to_json(error, with_traceback=False)}


def check(answer: object) -> Answer:
    """:raises cells.exceptions.MalformedMessage: it is none"""
    if not isinstance(answer, dict) or not answer.keys() & {RESULT, FAILURE, ERROR}:
        raise exceptions.MalformedMessage(
            f"The answer of a service must be an object with 'result' or 'failure', not {type(answer).__name__}."
        )
    return answer
