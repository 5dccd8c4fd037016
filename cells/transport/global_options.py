"""Options that oslo.messaging reads from the global configuration, whatever configuration a transport has.

Managers, commands and many services have a configuration object of their own, in which these options would have no
effect.
"""

from __future__ import annotations

import os
from typing import Any

from oslo_config import cfg
from oslo_messaging.rpc import dispatcher as rpc_dispatcher

from cells import exceptions

#: in [DEFAULT] state_path
LOCKS_DIRECTORY = "locks"
#: method of oslo.messaging's endpoint for pings
PING = "oslo_rpc_server_ping"


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options of this module on ``conf``."""
    conf.register_opts(rpc_dispatcher._dispatcher_opts)


def share_lock_path(transport: Any) -> None:
    """Give the queue manager of ``transport`` a directory for its locks; do nothing without a queue manager.

    Called for each transport that this project opens, and for those of services that its clients use.

    In order: a directory in the global configuration, [oslo_concurrency] lock_path of the transport's configuration,
    and ``locks`` in its [DEFAULT] state_path.

    :raises cells.exceptions.ConfigurationError: there is none of these
    """
    if getattr(getattr(transport, "_driver", None), "_q_manager", None) is None:
        return
    from oslo_concurrency import lockutils  # noqa: PLC0415  # only processes with RabbitMQ need it

    if lockutils.get_lock_path(cfg.CONF):
        return
    conf = transport.conf
    path = lockutils.get_lock_path(conf) or (
        os.path.join(conf.state_path, LOCKS_DIRECTORY) if "state_path" in conf and conf.state_path else ""
    )
    if not path:
        raise exceptions.ConfigurationError(
            "[oslo_messaging_rabbit] use_queue_manager needs a directory for its lock files: set [oslo_concurrency] "
            "lock_path."
        )
    cfg.CONF.set_default("lock_path", path, group="oslo_concurrency")


def answer_pings(server: Any) -> None:
    """Add oslo.messaging's endpoint for pings to an RPC server if the server's configuration asks for it."""
    endpoints = server.dispatcher.endpoints
    has_endpoint = any(isinstance(endpoint, rpc_dispatcher.PingEndpoint) for endpoint in endpoints)
    if server.conf.rpc_ping_enabled and not has_endpoint:
        endpoints.append(rpc_dispatcher.PingEndpoint())
