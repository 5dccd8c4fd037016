"""The one function that opens an oslo.messaging transport, for the own cell and for neighbors."""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Collection
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_utils import importutils

from cells import exceptions
from cells.transport import global_options, heartbeat
from cells.transport import url as transport_url
from cells.transport.patches import read_ahead


def register_options(conf: cfg.ConfigOpts) -> None:
    """Register the options of oslo.messaging that this project reads or needs."""
    # Parsing any URL registers [DEFAULT] transport_url and control_exchange.
    oslo_messaging.TransportURL.parse(conf, "fake:")
    # oslo.messaging registers these groups only on the global configuration. With
    # any other one, a client fails with NoSuchOptError.
    for name, group in (("_tracing", "oslo_messaging_tracing"), ("_metrics", "oslo_messaging_metrics")):
        module = importutils.try_import(f"oslo_messaging.{name}.client")
        if module is not None:
            conf.register_opts(getattr(module, group), group=group)
    global_options.register(conf)


def register_rabbitmq_options(conf: cfg.ConfigOpts) -> None:
    """Register the group [oslo_messaging_rabbit].

    These are the option objects of oslo.messaging, whose defaults a patch changes, and not copies: oslo.config refuses
    two options of one name that differ.
    """
    from oslo_messaging._drivers import amqp, impl_rabbit  # noqa: PLC0415  # slow to import

    conf.register_opts([*impl_rabbit.rabbit_opts, *amqp.amqp_opts], group="oslo_messaging_rabbit")


def open_transport(conf: cfg.ConfigOpts, url: str | None = None, exception_modules: Collection[str] = ()) -> Any:
    """Return an RPC transport for ``url``, by default for [DEFAULT] transport_url.  No I/O.

    :param exception_modules: modules whose exceptions the clients of the transport rebuild
    :raises cells.exceptions.ConfigurationError: the URL or an option of oslo.messaging is wrong
    """
    register_options(conf)
    where = "[DEFAULT] transport_url" if url is None else "transport URL"
    try:
        read = _read(conf, url)
        transport_url.check_usable(read)
        transport = oslo_messaging.get_rpc_transport(conf, url=read, allowed_remote_exmods=exception_modules)
    except exceptions.InvalidNeighbor as error:
        raise exceptions.ConfigurationError(f"The {where} cannot be used: {error.message}") from error
    except (oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure, cfg.Error, ValueError) as error:
        if transport_url.is_brokerless(url or conf.transport_url):
            # The driver belongs to this project: its errors contain no secret.
            raise exceptions.ConfigurationError(f"The {where} cannot be used: {error}") from None
        # The text of oslo.messaging's error may contain the URL with its password.
        raise exceptions.ConfigurationError(
            f"The {where} cannot be used ({type(error).__name__}): it must look like "
            "rabbit://user:password@host:5672/virtual_host, and its driver must be installed."
        ) from None
    heartbeat.shorten(transport)
    global_options.share_lock_path(transport)
    read_ahead.apply_to(transport)
    return transport


def _read(conf: cfg.ConfigOpts, url: str | None) -> oslo_messaging.TransportURL:
    """Return ``url`` as oslo.messaging represents it.

    Python's urlsplit refuses an IPv6 host among several hosts, so such a URL is parsed here.
    """
    try:
        return oslo_messaging.TransportURL.parse(conf, url)
    except ValueError:
        read = transport_url.parse(url or conf.transport_url)
    hosts = [oslo_messaging.TransportHost(**dataclasses.asdict(host)) for host in read.hosts]
    query = dict(urllib.parse.parse_qsl(read.query))
    return oslo_messaging.TransportURL(conf, read.transport, read.virtual_host, hosts, query)
