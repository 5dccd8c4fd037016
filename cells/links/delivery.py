"""The limits of all links, and the reports of each attempt to send: shared by one link and the set of links."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cells import exceptions
from cells.counters import Counters
from cells.drivers.base import Target
from cells.links.losses import Losses
from cells.links.send_queue import OnFailure, QueuedMessage

LOG = logging.getLogger(__name__)

#: Takes the name of a neighbor, and whether its broker took the messages of one attempt.  Must not block.
OnDelivery = Callable[[str, bool], None]

#: Returns whether messages for a neighbor are still sent as this row says.  Must not block.
IsUsed = Callable[[Target], bool]

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

    def __init__(self, counters: Counters, on_delivery: OnDelivery, losses: Losses, is_used: IsUsed) -> None:
        self._is_used = is_used
        self._counters = counters
        self._on_delivery = on_delivery
        self.losses = losses

    def delivered(
        self, cell: Target, error: exceptions.CellsError | None, *, was_failing: bool, count: int = 1
    ) -> None:
        """Report one attempt to send ``count`` messages, or an attempt that exceeded the send timeout.

        If the neighbor has moved to another driver or broker since, the attempt tells nothing about it.

        :param error: the reason of a failed attempt
        :param was_failing: whether the attempt before it failed
        """
        name = cell.name
        if not self._is_used(cell):
            if error is None:
                self.sent(count)
            else:
                LOG.debug("Over the driver %s, which cell %s has left: %s", cell.driver, name, error.message)
            return
        self._on_delivery(name, error is None)
        if error is None:
            self.sent(count)
            # The link of the failed attempt may have been closed since.
            self.losses.came_back(name)
            return
        self.losses.went_away(name)
        # The first failure is a WARNING; the following ones would fill the log and are logged at DEBUG.
        LOG.log(logging.DEBUG if was_failing else logging.WARNING, "%s", error.message)

    def sent(self, count: int) -> None:
        """Count delivered messages."""
        self._counters.count("sent", times=count)

    def observe_cast(self, messages: int) -> None:
        """Note the number of messages of a cast that a broker has taken."""
        self._counters.sent_together.observe(messages)

    def observe_wait(self, seconds: float) -> None:
        """Note the time from the queueing of a message until a broker had it."""
        self._counters.send_seconds.observe(seconds)

    def refuse(self, error: exceptions.CellsError, kind: str, on_failure: OnFailure) -> None:
        """Report a message that is not queued to its sender, which counts it as given up.

        :param kind: of the message; empty: of cells about each other, which operators do not count
        """
        self._counters.count("undelivered" if kind else "undelivered_internal", type(error).__name__)
        call_back(partial(on_failure, error))

    def give_up(self, name: str, error: exceptions.CellsError, queued: QueuedMessage) -> None:
        """Report a queued message that is not delivered to its sender, which counts it as given up."""
        self.refuse(error, queued.message.kind, queued.on_failure)
        self.losses.pass_on(name, [queued.message.kind])


def call_back(callback: Callable[[], object]) -> None:
    """Call ``callback``; log the exception that it raises."""
    try:
        callback()
    except Exception:  # a bug in a callback must not end the sending thread
        LOG.exception("The callback of a message failed: its sender does not learn whether the message was delivered.")
