"""Errors of the libraries below oslo.messaging, replaced by the error that oslo.messaging documents."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import oslo_messaging

from cells import failure
from cells.transport.errors import LIBRARY_ERRORS

P = ParamSpec("P")
T = TypeVar("T")


def own_errors(function: Callable[P, T]) -> Callable[P, T]:
    """Return ``function`` with an error of kombu or amqp raised as a MessageDeliveryFailure."""

    @functools.wraps(function)
    def replaced(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except LIBRARY_ERRORS as error:
            raise oslo_messaging.MessageDeliveryFailure(
                f"The broker of this cell did not take the request: {failure.name_of(error)}: {failure.text_of(error)}"
            ) from error

    return replaced
