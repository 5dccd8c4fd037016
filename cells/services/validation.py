"""Checks of the values in a request to a service, for both of its ends.

A client refuses wrong arguments as InvalidArguments, a receiver refuses a wrong message as
MalformedMessage: callers pass the class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from oslo_serialization import jsonutils

from cells import exceptions, failure

T = TypeVar("T")

#: Types whose values all have a JSON form.
_PLAIN = frozenset({str, bool, type(None)})
#: Python writes no number of thousands of digits.
_LARGE_NUMBER = 2**64

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


def _is_plain(value: object) -> bool:
    """Return whether it is certain, and cheap to find out, that a value has a JSON form."""
    return type(value) in _PLAIN or (type(value) is int and -_LARGE_NUMBER < value < _LARGE_NUMBER)


def want_json_object(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return ``values`` if they can be sent as a JSON object.

    :param name: the subject of the error text
    :raises cells.exceptions.InvalidArguments: a key is no text, or a value has no JSON form
    """
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise exceptions.InvalidArguments(f"{name} must be a mapping of names to JSON values.")
    values = dict(values)
    if all(map(_is_plain, values.values())):
        return values
    try:
        # The function that oslo.messaging uses, so that both accept the same values.
        jsonutils.dumps(values, allow_nan=False)
    except Exception as error:  # the methods of a value may raise anything
        raise exceptions.InvalidArguments(f"{name} cannot be written as JSON: {failure.text_of(error)}") from error
    return values
