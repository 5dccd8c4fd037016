"""The errors that a call of another cell raises in a service.

::

    RPCException                    also a cells.exceptions.CellsError
    ├── RemoteError                 also an oslo_messaging.RemoteError
    ├── Timeout                     also an oslo_messaging.MessagingTimeout
    ├── MessageDeliveryFailure      also an oslo_messaging.MessageDeliveryFailure
    ├── DuplicateMessageError
    ├── InvalidRPCConnectionReuse
    └── UnsupportedRpcEnvelopeVersion

Code that catches the errors of oslo.messaging also catches these errors, so it need not change
when it calls another cell.  All other errors are classes of :mod:`cells.exceptions`:
``CellNotFound``, ``ServiceNotAllowed``, ``NoCellsAvailable`` and so on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import oslo_messaging

from cells import exceptions, failure
from cells.exceptions import (
    DuplicateMessageError,
    InvalidRPCConnectionReuse,
    RPCException,
    UnsupportedRpcEnvelopeVersion,
)
from cells.services.answers import ERROR, FAILURE, Answer
from cells.transport import internals
from cells.transport.errors import LIBRARY_ERRORS

__all__ = [
    "DuplicateMessageError",
    "InvalidRPCConnectionReuse",
    "MessageDeliveryFailure",
    "RPCException",
    "RemoteError",
    "Timeout",
    "UnsupportedRpcEnvelopeVersion",
]


class RemoteError(RPCException, oslo_messaging.RemoteError):  # type: ignore[misc]  # oslo.messaging has no types
    """Raised for an error of a service whose class the caller's transport does not rebuild.

    :ivar exc_type: the name of the class
    :ivar value: the text of the error
    :ivar traceback: the lines of the traceback
    """

    exc_type: str | None
    value: str | None
    traceback: Any

    def __init__(self, exc_type: str | None = None, value: str | None = None, traceback: Any = None) -> None:
        oslo_messaging.RemoteError.__init__(self, exc_type, value, traceback)
        # Attributes of a CellsError, whose constructor would pass the text to oslo.messaging's as a type.
        self.message = f"{exc_type}: {value}"
        self.kwargs: dict[str, Any] = {}
        # The arguments of the constructor, for an error that travels on.
        self.args = (exc_type, value, traceback)

    def __str__(self) -> str:
        return f"Remote error: {self.exc_type} {self.value}\n{self.traceback}."


class Timeout(RPCException, oslo_messaging.MessagingTimeout):  # type: ignore[misc]  # oslo.messaging has no types
    """Raised when the answer, or a heartbeat of a monitored call, does not arrive in time."""


class MessageDeliveryFailure(  # oslo.messaging's name
    RPCException,
    oslo_messaging.MessageDeliveryFailure,  # type: ignore[misc]  # oslo.messaging has no types
):
    """Raised when a broker on the way does not take the message, after all retries.

    :ivar may_arrive: True if the message may arrive nevertheless: the connection failed before it was confirmed
    """

    may_arrive: bool | None = None


@contextlib.contextmanager
def own_delivery_errors() -> Iterator[None]:
    """Raise an error of a library below oslo.messaging in the block as a MessageDeliveryFailure."""
    try:
        yield
    except LIBRARY_ERRORS as error:
        raise MessageDeliveryFailure(
            f"The broker of this cell did not take the message: {failure.name_of(error)}: {failure.text_of(error)}"
        ) from error


def of_answer(answer: Answer, transport: Any) -> Exception | None:
    """Return the error of an answer, in the class for services; None if the answer is a result.

    :param transport: the RPC transport of the service, whose ``allowed_remote_exmods`` are the modules whose
        exceptions are rebuilt
    """
    if FAILURE in answer:
        return _rebuilt(answer[FAILURE], transport)
    if ERROR in answer:
        return translated(failure.from_json(answer[ERROR], ("cells.exceptions",)))
    return None


def translated(error: Exception) -> Exception:
    """Return an error of cells in the class that users of oslo.messaging expect, if there is such a class."""
    if isinstance(error, exceptions.CallTimeout):
        translation: Exception = Timeout(error.message, **_cell(error))
    elif isinstance(error, exceptions.DeliveryError):
        uncertain = {"may_arrive": True} if error.may_arrive else {}
        translation = MessageDeliveryFailure(error.message, **_cell(error), **uncertain)
    elif isinstance(error, exceptions.RemoteError):
        translation = RemoteError(error.exc_type, error.value, "".join(error.traceback or []))
    else:
        return error
    translation.__cause__ = error
    return translation


def _cell(error: exceptions.CellsError) -> dict[str, Any]:
    return {} if error.cell is None else {"cell": error.cell}


def _rebuilt(text: str, transport: Any) -> Exception:
    try:
        error = internals.rebuild_failure(transport, text)
    except Exception as problem:  # oslo.messaging may raise any error for a text from another cell
        return exceptions.MalformedMessage(f"The error that a service raised is unreadable: {problem}")
    if isinstance(error, oslo_messaging.RemoteError) and not isinstance(error, RPCException):
        log_id = "" if error.traceback else failure.log_id_of(text)
        traceback = [f"The log of the called cell's manager has the traceback: log id {log_id}"] if log_id else None
        return RemoteError(error.exc_type, error.value, traceback or error.traceback)
    return error
