"""Calls while the own cell's broker is down: they fail within their timeout.

A client of oslo.messaging first opens the queue for its replies.  Its RabbitMQ driver retries that without
limit, whatever ``timeout`` and ``retry`` say; and the default ``retry`` of None has no limit either.  Clients of a
manager call :func:`reach` first, so that they give up in time.
"""

from __future__ import annotations

import math
from typing import Any

from cells.transport.patches.base import Patch, names_in


class Reachability(Patch):
    """A client connects to its broker, within its timeout, before oslo.messaging opens the queue for replies."""

    name = "reachability"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqpdriver, common  # noqa: PLC0415  # slow to import

        driver = amqpdriver.AMQPDriverBase
        return (
            "_reply_q" in names_in(driver.__init__)
            and "retry" in driver._get_connection.__code__.co_varnames
            and hasattr(common, "PURPOSE_SEND")
        )


REACHABILITY = Reachability()


def retries_within(seconds: float, retry: int | None) -> int:
    """Return the number of retries that fit into ``seconds``, at most ``retry``.

    The driver pauses for 1, 3, 5 ... seconds; n pauses take n squared seconds.  At least one
    retry is made: it opens a connection again that the broker closed while it was idle.
    """
    fitting = max(1, math.isqrt(int(seconds)))
    return fitting if retry is None or retry < 0 else min(retry, fitting)


def reach(transport: Any, seconds: float, retry: int | None) -> int | None:
    """Connect to the broker; return the ``retry`` with which a call ends within ``seconds``.

    :raises Exception: of a class that depends on the driver: the broker cannot be reached
    """
    driver = transport._driver
    if not hasattr(driver, "_reply_q") or not REACHABILITY.is_active or REACHABILITY.is_disabled_by(transport.conf):
        return retry  # a driver without a queue for replies obeys the timeout
    from oslo_messaging._drivers import common  # noqa: PLC0415  # the driver has imported it

    retries = retries_within(seconds, retry)
    if driver._reply_q is None:
        # The connection stays in the pool of the driver, for the message itself.
        with driver._get_connection(common.PURPOSE_SEND, retry=retries):
            pass
    return retries
