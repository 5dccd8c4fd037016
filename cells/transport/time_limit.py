"""The time limit of a request: the client's thread sets it, and the connections that this thread uses obey it.

It is a property of the thread and not an argument, because oslo.messaging, kombu and amqp lie between the client and
the reads and writes that may hang, and none of them hands a deadline on.
"""

from __future__ import annotations

import math
import threading
import time

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


class limit:  # noqa: N801  # a context manager, which callers use as a function
    """Limit what this thread does with a broker in the block; a limit around this one holds, too."""

    __slots__ = ("_before", "seconds", "send_seconds")

    def __init__(self, seconds: float, send_seconds: float) -> None:
        """:param seconds: for the request and its answer
        :param send_seconds: until the broker has the request
        """
        self.seconds, self.send_seconds = seconds, send_seconds

    def __enter__(self) -> None:
        now, limits = time.monotonic(), _deadlines
        self._before = limits.send, limits.answer, limits.started
        limits.answer = min(limits.answer, now + self.seconds)
        limits.send = min(limits.send, limits.answer, now + self.send_seconds)
        limits.started = now

    def __exit__(self, *_: object) -> None:
        _deadlines.send, _deadlines.answer, _deadlines.started = self._before


def is_set() -> bool:
    """Return whether this thread has a limit."""
    return _deadlines.send is not math.inf


def seconds_to_send() -> float:
    """Return the time that is left to hand the request to the broker; infinite without a limit, 0 when it is over."""
    return max(0.0, _deadlines.send - time.monotonic())


def whole_seconds() -> float:
    """Return the time to send that the innermost limit gave at its start; infinite without a limit."""
    return _deadlines.send - _deadlines.started


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
    # Called for each read and write.
    send = _deadlines.send
    if send is math.inf:
        return timeout
    seconds = send - time.monotonic()
    if seconds <= 0.0:
        raise TimeoutError("The time for this request is over.")
    return seconds if timeout is None else min(timeout, seconds)
