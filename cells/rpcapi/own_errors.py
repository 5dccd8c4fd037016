"""Errors of the libraries below oslo.messaging, replaced by the error that oslo.messaging documents."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import oslo_messaging

from cells import failure
from cells.transport.errors import LIBRARY_ERRORS


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """Raise an error of kombu or amqp in the block as a MessageDeliveryFailure."""
    try:
        yield
    except LIBRARY_ERRORS as error:
        raise oslo_messaging.MessageDeliveryFailure(
            f"The broker of this cell did not take the request: {failure.name_of(error)}: {failure.text_of(error)}"
        ) from error
