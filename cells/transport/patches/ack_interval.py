"""The interval at which listeners wake up to acknowledge messages.

After each message a listener of oslo.messaging wakes up after 1, 2, 4, ...
milliseconds, up to every five seconds, to acknowledge messages that a handler has
finished since.  RPC messages are acknowledged when they are read, so here it
wakes up for nothing; with one listener per type of message that took more than
half of the processor time of a relay.  The five seconds in turn are how long an
idle listener takes to stop.
"""

from __future__ import annotations

import importlib
from typing import Any

from cells.transport.patches.base import Patch

#: The longest time that an idle listener takes to stop; a stop has two rounds of them.
WAKE_UP_SECONDS = 0.25
_NAMES = ("ACK_REQUEUE_EVERY_SECONDS_MIN", "ACK_REQUEUE_EVERY_SECONDS_MAX")


class AckInterval(Patch):
    """Listeners of this process wake up four times a second."""

    name = "ack_interval"

    def _is_applicable(self) -> bool:
        return all(hasattr(_driver(), name) for name in _NAMES)

    def _install(self) -> None:
        driver = _driver()
        for name in _NAMES:
            setattr(driver, name, WAKE_UP_SECONDS)


def _driver() -> Any:
    # The driver for RabbitMQ derives the maximum of an option from these names when it is imported.
    importlib.import_module("oslo_messaging._drivers.impl_rabbit")
    return importlib.import_module("oslo_messaging._drivers.amqpdriver")


ACK_INTERVAL = AckInterval()
