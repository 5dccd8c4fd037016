"""One way to open an oslo.messaging transport, for the own cell and for neighbors."""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Collection, Iterator
from typing import Any

import amqp  # type: ignore[import-untyped]  # it has none
import kombu.exceptions
import oslo_messaging
from oslo_config import cfg
from oslo_utils import importutils

from cells import exceptions
from cells.transport import url as transport_url

#: Not every driver makes an error of oslo.messaging of what goes wrong between a client and its broker.
BROKER_ERRORS = (kombu.exceptions.KombuError, amqp.AMQPError, OSError)
#: After an error of these classes nobody knows whether the broker, or the server, has the message.
LOST_IN_PUBLISH = (
    oslo_messaging.MessagingTimeout,
    TimeoutError,
    ConnectionResetError,
    BrokenPipeError,
    amqp.ConnectionForced,
)


def register_options(conf: cfg.ConfigOpts) -> None:
    """Register the options of oslo.messaging that this project reads or needs."""
    # Parsing any URL registers [DEFAULT] transport_url and control_exchange.
    oslo_messaging.TransportURL.parse(conf, "fake:")
    # oslo.messaging registers these groups on the global configuration alone; a
    # client that was given another one dies with NoSuchOptError.
    for name, group in (("_tracing", "oslo_messaging_tracing"), ("_metrics", "oslo_messaging_metrics")):
        module = importutils.try_import(f"oslo_messaging.{name}.client")
        if module is not None:
            conf.register_opts(getattr(module, group), group=group)


def open_transport(conf: cfg.ConfigOpts, url: str | None = None, exception_modules: Collection[str] = ()) -> Any:
    """Return an RPC transport for ``url``, by default that of [DEFAULT] transport_url.  No I/O.

    :param exception_modules: modules whose exceptions a client of it rebuilds
    :raises cells.exceptions.ConfigurationError: the URL or an option of oslo.messaging is wrong
    """
    register_options(conf)
    where = "[DEFAULT] transport_url" if url is None else "transport URL"
    try:
        read = _read(conf, url)
        transport_url.check_usable(read)
        return oslo_messaging.get_rpc_transport(conf, url=read, allowed_remote_exmods=exception_modules)
    except exceptions.InvalidNeighbor as error:
        raise exceptions.ConfigurationError(f"The {where} cannot be used: {error.message}") from error
    except (oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure, cfg.Error, ValueError) as error:
        if transport_url.is_brokerless(url or conf.transport_url):
            # Its driver is of this project, and repeats no secret.
            raise exceptions.ConfigurationError(f"The {where} cannot be used: {error}") from None
        # The text of oslo.messaging's error may hold the URL with its password.
        raise exceptions.ConfigurationError(
            f"The {where} cannot be used ({type(error).__name__}): it must look like "
            "rabbit://user:password@host:5672/virtual_host, and its driver must be installed."
        ) from None


def _read(conf: cfg.ConfigOpts, url: str | None) -> oslo_messaging.TransportURL:
    """``url`` as oslo.messaging has it; what its Python refuses, an IPv6 host among several, we read for it."""
    try:
        return oslo_messaging.TransportURL.parse(conf, url)
    except ValueError:
        read = transport_url.parse(url or conf.transport_url)
    hosts = [oslo_messaging.TransportHost(**dataclasses.asdict(host)) for host in read.hosts]
    query = dict(urllib.parse.parse_qsl(read.query))
    return oslo_messaging.TransportURL(conf, read.transport, read.virtual_host, hosts, query)


def may_arrive(error: BaseException) -> bool:
    """Whether a message may have been taken although sending it has failed.

    A driver tries again, and says only why it did not get through in the end: that the first
    attempt was cut off while it waited for the broker's confirmation is an error further down.
    """
    # An OSError without a number is how the client of RabbitMQ says that the broker has hung up.
    return any(
        isinstance(seen, LOST_IN_PUBLISH) or (type(seen) is OSError and seen.errno is None) for seen in _causes(error)
    )


def is_forbidden(error: BaseException) -> bool:
    """Whether the broker is well and does not let its user do that."""
    return any(isinstance(seen, amqp.AccessRefused) for seen in _causes(error))


def lacks_exchange(error: BaseException) -> bool:
    """Whether the broker is well and has no exchange of that name (any more)."""
    return any(isinstance(seen, amqp.NotFound) for seen in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
