"""Settings of the listeners of the daemon; ``cells-manager`` calls both functions at start.

A listener takes from the broker whatever waits there, unless it is told how much to take ahead.  A manager that
starts where much waits would read all of that before it handles the first of it, keep it from the other
managers of its cell, and lose it if it dies: RPC messages are acknowledged when they are read.

After each message a listener of oslo.messaging wakes up again after 1, 2, 4, ...
milliseconds, up to every five seconds, to acknowledge what a handler may have
finished since.  RPC messages are acknowledged when they are read, so here it
wakes up for nothing; with one listener per type of message that took more than
half of the processor time of a relay.  The five seconds in turn are how long an
idle listener takes to stop.
"""

from __future__ import annotations

from oslo_config import cfg
from oslo_utils import importutils

#: Casts, each of one message or of many, that a listener is sent before it has read the first of them.
TAKEN_AHEAD = 8
WAKE_UP_SECONDS = 1.0
_PREFETCH = "rabbit_qos_prefetch_count"
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


def take_a_few_ahead() -> bool:
    """Have RabbitMQ keep what waits, unless the configuration says how much to take ahead.

    :returns: False with an oslo.messaging that has no such option: then it works as ever
    """
    driver = importutils.try_import("oslo_messaging._drivers.impl_rabbit")
    options = getattr(driver, "rabbit_opts", ())
    if not any(option.name == _PREFETCH for option in options):
        return False
    cfg.set_defaults(options, **{_PREFETCH: TAKEN_AHEAD})
    return True
