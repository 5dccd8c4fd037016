"""The transport of a link to a neighbor: it declares nothing, and has options of its own beside those of this cell."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from cells.transport import link_options
from cells.transport import url as transport_url
from cells.transport.opening import open_transport
from cells.transport.patches import neighbor_publish

#: A link has no queues: these options of this cell's broker can only make it fail.
_NOT_INHERITED = {"use_queue_manager": "false", "rabbit_stream_fanout": "false"}


def open_link(conf: cfg.ConfigOpts, url: str, send_timeout_seconds: int) -> Any:
    """Return the transport of a link to the broker at ``url``.  No I/O.

    On RabbitMQ, a send blocks for as long as the heartbeat threshold of its connection; the
    default of a minute is too long for a thread with a send queue.

    :raises cells.exceptions.ConfigurationError: the URL or an option of oslo.messaging is wrong
    """
    limits = {"heartbeat_timeout_threshold": str(send_timeout_seconds), "kombu_reconnect_delay": "0"}
    defaults = {**limits, **_NOT_INHERITED} if transport_url.is_rabbitmq(url) else {}
    transport = open_transport(conf, link_options.for_library(url, defaults))
    neighbor_publish.apply_to(transport)
    return transport
