"""The broker of the own cell, for which a client of oslo.messaging would wait for ever while it is away.

Whatever ``timeout`` and ``retry`` say, its RabbitMQ driver opens the queue for replies first, and
tries that without an end; and a ``retry`` of None has none either.  What asks a manager asks it
through here, so that it gives up in time.
"""

from __future__ import annotations

import math
from typing import Any

from oslo_messaging._drivers import common as rpc_common


def retries_within(seconds: float, retry: int | None) -> int:
    """How often sending is tried again within the time, and not more often than ``retry`` says.

    The driver pauses for 1, 3, 5 ... seconds, which after n pauses is the square of n.  Once is
    always tried: a connection that the broker has closed while it was idle is opened again.
    """
    fitting = max(1, math.isqrt(int(seconds)))
    return fitting if retry is None or retry < 0 else min(retry, fitting)


def reach(transport: Any, seconds: float, retry: int | None) -> int | None:
    """See that the broker is there; return the ``retry`` with which a call of it ends within the time.

    :raises Exception: of a class that depends on the driver: the broker cannot be reached
    """
    driver = transport._driver
    if not hasattr(driver, "_reply_q"):
        return retry  # a driver without a queue for replies ends in time by itself
    retries = retries_within(seconds, retry)
    if driver._reply_q is None:
        # It stays in the pool of the driver, for the message itself.
        with driver._get_connection(rpc_common.PURPOSE_SEND, retry=retries):
            pass
    return retries
