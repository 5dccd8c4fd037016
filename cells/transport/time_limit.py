"""The time limit of a request: the client's thread sets it, and the connections that this thread uses obey it.

It is a property of the thread and not an argument, because oslo.messaging, kombu and amqp lie between the client and
the reads and writes that may hang, and none of them hands a deadline on.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator

from oslo_messaging._drivers import common as rpc_common


class SendTimeout(rpc_common.Timeout):  # type: ignore[misc]  # oslo.messaging has no types
    """Raised inside oslo.messaging, which passes this class on, when the broker has not taken a request in time."""

    def __init__(self, reason: str) -> None:
        """:param reason: the last error, or the thing that the request waited for"""
        super().__init__(info=reason)
        self.reason = reason


class _Deadlines(threading.local):
    """Times of the monotonic clock, for one thread."""

    send = math.inf
    answer = math.inf
    #: start of the innermost limit
    started = 0.0


_deadlines = _Deadlines()


@contextlib.contextmanager
def limit(seconds: float, send_seconds: float) -> Iterator[None]:
    """Limit what this thread does with a broker in the block; a limit around this one holds, too.

    :param seconds: for the request and its answer
    :param send_seconds: until the broker has the request
    """
    now, before = time.monotonic(), (_deadlines.send, _deadlines.answer, _deadlines.started)
    _deadlines.answer = min(before[1], now + seconds)
    _deadlines.send = min(before[0], _deadlines.answer, now + send_seconds)
    _deadlines.started = now
    try:
        yield
    finally:
        _deadlines.send, _deadlines.answer, _deadlines.started = before


def is_set() -> bool:
    """Return whether this thread has a limit."""
    return _deadlines.send is not math.inf


def seconds_to_send() -> float:
    """Return the time that is left to hand the request to the broker; infinite without a limit, 0 when it is over."""
    return max(0.0, _deadlines.send - time.monotonic())


def seconds_to_answer() -> float:
    """Return the time that is left until the answer; infinite without a limit, 0 when it is over."""
    return max(0.0, _deadlines.answer - time.monotonic())


def elapsed_seconds() -> float:
    """Return the time since the innermost limit began; 0 without a limit."""
    return time.monotonic() - _deadlines.started if is_set() else 0.0


def shorter(timeout: float | None) -> float | None:
    """Return ``timeout``, or the time that is left to send if that is shorter; None: no timeout.

    :raises TimeoutError: no time is left
    """
    if not is_set():
        return timeout
    seconds = seconds_to_send()
    if not seconds:
        raise TimeoutError("The time for this request is over.")
    return seconds if timeout is None else min(timeout, seconds)
