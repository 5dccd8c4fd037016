"""Keeps the consumers of the daemon asleep until a message comes; called by ``cells-manager`` at start.

After each message a listener of oslo.messaging wakes up again after 1, 2, 4, ...
milliseconds, up to every five seconds, to acknowledge what a handler may have
finished since.  RPC messages are acknowledged when they are read, so here it
wakes up for nothing; with one listener per type of message that took more than
half of the processor time of a relay.  The five seconds in turn are how long an
idle listener takes to stop.
"""

from __future__ import annotations

from oslo_utils import importutils

WAKE_UP_SECONDS = 1.0
_NAMES = ("ACK_REQUEUE_EVERY_SECONDS_MIN", "ACK_REQUEUE_EVERY_SECONDS_MAX")


def sleep_between_messages() -> bool:
    """Have the listeners of this process look up once a second.

    :returns: False with an oslo.messaging that has no such settings: then it works as ever
    """
    # The driver for RabbitMQ takes a bound of its options from them while it is imported.
    importutils.try_import("oslo_messaging._drivers.impl_rabbit")
    driver = importutils.try_import("oslo_messaging._drivers.amqpdriver")
    if driver is None or not all(hasattr(driver, name) for name in _NAMES):
        return False
    for name in _NAMES:
        setattr(driver, name, WAKE_UP_SECONDS)
    return True
