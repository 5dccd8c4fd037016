"""The limits of all links, and the reports of each attempt to send: shared by one link and the set of links."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cells import exceptions
from cells.counters import Counters
from cells.links.send_queue import OnFailure

LOG = logging.getLogger(__name__)

#: Takes the name of a neighbor, and whether its broker took the messages of one attempt.  Must not block.
OnDelivery = Callable[[str, bool], None]

#: A link that sent nothing for this long is closed.
IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class LinkLimits:
    """Limits of one send queue, of one attempt to send, and of the open links."""

    send_timeout_seconds: float = 10.0
    queue_size: int = 10000
    queue_bytes: int = 256 * 1024 * 1024
    open_links: int = 64
    idle_seconds: float = IDLE_SECONDS


class DeliveryReports:
    """Counters, log lines and callbacks about delivered and undelivered messages.  Thread-safe."""

    def __init__(self, counters: Counters, on_delivery: OnDelivery) -> None:
        self._counters = counters
        self._on_delivery = on_delivery

    def delivered(self, name: str, error: exceptions.CellsError | None, *, was_failing: bool, count: int = 1) -> None:
        """Report one attempt to send ``count`` messages, or an attempt that exceeded the send timeout.

        :param error: the reason of a failed attempt
        :param was_failing: whether the attempt before it failed
        """
        self._on_delivery(name, error is None)
        if error is None:
            self.sent(count)
            if was_failing:
                LOG.info("Cell %s takes messages again.", name)
            return
        # The first failure is a WARNING; the following ones would fill the log and are logged at DEBUG.
        LOG.log(logging.DEBUG if was_failing else logging.WARNING, "%s", error.message)

    def sent(self, count: int) -> None:
        """Count delivered messages."""
        self._counters.count("sent", times=count)

    def give_up(self, error: exceptions.CellsError, on_failure: OnFailure) -> None:
        """Count an undelivered message and report it to its sender."""
        self._counters.count("undelivered", type(error).__name__)
        call_back(partial(on_failure, error))


def call_back(callback: Callable[[], object]) -> None:
    """Call ``callback``; log the exception that it raises."""
    try:
        callback()
    except Exception:  # a bug in a callback must not end the sending thread
        LOG.exception("The callback of a message failed: its sender does not learn whether the message was delivered.")
