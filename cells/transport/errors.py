"""Errors of brokers and of the libraries below oslo.messaging, and the conclusions from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

import amqp.exceptions  # type: ignore[import-untyped]  # it has none
import kombu.exceptions
import oslo_messaging

from cells import failure

#: Some drivers of oslo.messaging let errors of the connection to the broker through as they are.
LIBRARY_ERRORS = (kombu.exceptions.KombuError, amqp.AMQPError)
BROKER_ERRORS = (*LIBRARY_ERRORS, OSError)
#: After an error of these classes it is unknown whether the broker, or the server, has the message.
LOST_IN_PUBLISH = (
    oslo_messaging.MessagingTimeout,
    TimeoutError,
    ConnectionResetError,
    BrokenPipeError,
    amqp.ConnectionForced,
)
#: Each attempt of a library adds a few to the chain.
MAX_CAUSES = 100


def may_arrive(error: BaseException) -> bool:
    """Return whether the broker may have taken a message although sending it failed.

    A driver tries again, and raises the error of its last attempt. An error further down
    the chain tells whether the first attempt ended while it waited for the broker's confirmation.
    """
    # The client of RabbitMQ raises an OSError without a number when the broker has closed the connection.
    return any(
        isinstance(seen, LOST_IN_PUBLISH) or (type(seen) is OSError and seen.errno is None) for seen in causes(error)
    )


def refusal_in(error: BaseException) -> Exception | None:
    """Return the error with which a working broker refused one message; None if it refused none.

    Other messages, on the same connection too, are not concerned.
    """
    return next((seen for seen in causes(error) if is_refusal(seen)), None)


def is_refusal(error: BaseException) -> TypeGuard[Exception]:
    """Return whether ``error`` itself, and not an error that led to it, is a refusal as of :func:`refusal_in`."""
    # An error without a code is one of py-amqp: before 5.4 a write that timed out was a channel error.
    return isinstance(error, amqp.exceptions.MessageNacked) or bool(
        isinstance(error, amqp.ChannelError) and error.reply_code and not _refuses_login(error)
    )


def _refuses_login(error: BaseException) -> bool:
    # py-amqp has one class for both, and RabbitMQ names a method only when it refuses an operation of a channel.
    return isinstance(error, amqp.AccessRefused) and not any(error.method_sig or (0, 0))


def is_too_large(refusal: Exception) -> bool:
    """Return whether the broker refused a message for its size; see :func:`refusal_in`."""
    # RabbitMQ has no code for it: "PRECONDITION_FAILED - message size 300 is larger than configured max size 200".
    return isinstance(refusal, (amqp.PreconditionFailed, amqp.ContentTooLarge)) and "size" in str(refusal)


def is_forbidden(error: BaseException) -> bool:
    """Return whether the broker works, but does not permit the operation to its user."""
    return any(isinstance(seen, amqp.AccessRefused) and not _refuses_login(seen) for seen in causes(error))


def lacks_exchange(error: BaseException) -> bool:
    """Return whether the broker works, but has no exchange of that name."""
    return any(isinstance(seen, amqp.NotFound) for seen in causes(error))


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, and the errors that led to it, the last one first, MAX_CAUSES at most."""
    # Libraries hide errors of their attempts, which tell whether the broker has a message.
    return failure.causes(error, MAX_CAUSES, with_suppressed=True)
