"""Heartbeats of the connections to RabbitMQ: a process notices a half-open connection after 10 to 20 seconds.

oslo.messaging's default threshold is a minute, with which a process is deaf for two minutes.
"""

from __future__ import annotations

import copy
from typing import Any

from oslo_config import cfg
from oslo_messaging._drivers import common as rpc_common

from cells.transport import internals

#: A connection counts as broken after one to two thresholds without a byte from the broker.
THRESHOLD_SECONDS = 10
_GROUP, _OPTION = "oslo_messaging_rabbit", "heartbeat_timeout_threshold"


def shorten(transport: Any) -> None:
    """Give the future connections of ``transport`` this threshold, unless its URL or its configuration has the option.

    Does nothing for other drivers than RabbitMQ's.  No I/O.
    """
    pool = internals.connection_pool_of(transport)
    # The driver's configuration is a proxy already, and a proxy of a proxy would not read the URL.
    conf = getattr(transport.conf, "_conf", transport.conf)
    if pool is None or _OPTION in pool.url.query or not _is_default(conf):
        return
    # As if the URL had the option; the URL itself, which appears in errors, stays as the operator wrote it.
    pool.url = copy.copy(pool.url)
    pool.url.query = {**pool.url.query, _OPTION: str(THRESHOLD_SECONDS)}
    pool.conf = rpc_common.ConfigOptsProxy(conf, pool.url, _GROUP)


def _is_default(conf: cfg.ConfigOpts) -> bool:
    try:
        found = conf.get_location(_OPTION, _GROUP)
    except (cfg.NoSuchOptError, cfg.NoSuchGroupError):  # another driver with a pool
        return False
    return found is not None and found.location is cfg.Locations.opt_default
