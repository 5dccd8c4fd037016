"""Checks of the values in a request to a service, for both of its ends.

A client refuses wrong arguments as InvalidArguments, a receiver refuses a wrong message as
MalformedMessage: callers pass the class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cells import exceptions

T = TypeVar("T")

#: Makes the error to raise, of its text.
Refusal = Callable[[str], exceptions.CellsError]

#: The longest name that RabbitMQ has room for.
MAX_NAME_BYTES = 255


def want(value: object, kind: type[T], name: str, refusal: Refusal = exceptions.InvalidArguments) -> T:
    """Return ``value`` if it is an instance of ``kind``.

    :param name: the subject of the error text
    :raises cells.exceptions.CellsError: the error of ``refusal``
    """
    if not isinstance(value, kind):
        raise refusal(f"{name} must be of type {kind.__name__}, not {type(value).__name__}.")
    return value


def want_name(value: object, name: str, refusal: Refusal = exceptions.InvalidArguments) -> str:
    """Return ``value`` if it can name a queue and stand in a log line.

    :param name: the subject of the error text
    :raises cells.exceptions.CellsError: the error of ``refusal``
    """
    if not isinstance(value, str) or not value or not value.isprintable() or len(value.encode()) > MAX_NAME_BYTES:
        raise refusal(f"{name} must be a text of 1 to {MAX_NAME_BYTES} printable characters, not {value!a:.60}.")
    return value
