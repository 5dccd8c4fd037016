"""The transport of a link to a neighbor: other options than those of the own broker, and nothing declared there."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from cells.transport import url as transport_url
from cells.transport.opening import open_transport
from cells.transport.patches import neighbor_publish

#: Options about queues and consumers, which a link has not: those of the own broker would only disturb it.
_OF_CONSUMERS = {"use_queue_manager": "false", "rabbit_stream_fanout": "false"}


def open_link(conf: cfg.ConfigOpts, url: str, send_timeout_seconds: int) -> Any:
    """Return the transport of a link to the broker at ``url``.  No I/O.

    A send blocks for as long as the heartbeat threshold of its connection; the
    default of a minute is too long for a thread with a send queue.

    :raises cells.exceptions.ConfigurationError: the URL or an option of oslo.messaging is wrong
    """
    if transport_url.is_rabbitmq(url):
        limits = {"heartbeat_timeout_threshold": str(send_timeout_seconds), "kombu_reconnect_delay": "0"}
        url = transport_url.with_default_options(url, {**limits, **_OF_CONSUMERS})
    transport = open_transport(conf, url)
    neighbor_publish.apply_to(transport)
    return transport
