"""Attempts of oslo.messaging to publish one message: a later attempt publishes the time that is left by then.

oslo.messaging connects again and publishes the same bytes again.  They say how much time the message has left, so work
would begin after its caller was told that the time is over.  The connections of this project ask for the present
bytes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from oslo_serialization import jsonutils

#: The key of the message in the envelope.
_ENVELOPED = "oslo.message"
#: A message is written anew if it is older: a first attempt can be late, too, because it opens the connection.
FRESH_SECONDS = 0.1
#: No receiver takes a message without any time left; the sender has given it up by then.
SHORTEST_SECONDS = 0.001


class Attempts:
    """The attempts to publish one message, on the thread that sends it.  A context manager, for one use."""

    _of_thread = threading.local()

    def __init__(self, arguments: Callable[[], dict[str, Any]], clock: Callable[[], float] = time.monotonic) -> None:
        """:param arguments: returns the arguments of the cast or call, as they are now"""
        self._arguments = arguments
        self._clock = clock
        self._written_at = clock()
        self._is_published = False
        #: whether an attempt ended in an error that does not tell whether the broker has the message
        self.was_interrupted = False

    def __enter__(self) -> Attempts:
        self._of_thread.current = self
        return self

    def __exit__(self, *_: object) -> None:
        self._of_thread.current = None

    @classmethod
    def current(cls) -> Attempts | None:
        """Return the attempts that this thread makes now."""
        return getattr(cls._of_thread, "current", None)

    def renewed(self, message: Any) -> Any:
        """Return the message in oslo.messaging's envelope as it is published now."""
        was_published, self._is_published = self._is_published, True
        if not was_published and self._clock() - self._written_at < FRESH_SECONDS:
            return message
        body = {**jsonutils.loads(message[_ENVELOPED]), "args": self._arguments()}
        # As oslo.messaging does, which also takes times and other values without a form in plain JSON.
        return {**message, _ENVELOPED: jsonutils.dumps(body)}


def of_request(arguments: Mapping[str, Any], clock: Callable[[], float] = time.monotonic) -> Attempts:
    """Return the attempts of a request whose argument ``timeout``, if it has one, is the time that it has left."""
    seconds, started = arguments.get("timeout"), clock()
    if seconds is None:
        return Attempts(lambda: dict(arguments), clock)
    return Attempts(
        lambda: {**arguments, "timeout": max(seconds - (clock() - started), SHORTEST_SECONDS)},
        clock,
    )
