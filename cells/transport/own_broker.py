"""Login to the broker of a transport, before a manager or a command uses it through oslo.messaging."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg
from oslo_messaging._drivers import impl_rabbit

from cells.transport import mailbox, rabbitmq
from cells.transport import url as transport_url
from cells.transport.opening import open_transport
from cells.transport.rabbitmq import BrokerUnusableError
from cells.transport.url import BrokerHost

#: Timeout per host: more than a broker under load needs, because a manager that is refused tries again later.
CHECK_SECONDS = 10.0
_NAMES = {mailbox.OWN_OPTION: "The broker of this cell", mailbox.OPTION: f"The broker of {mailbox.OPTION}"}


def check(conf: cfg.ConfigOpts) -> None:
    """Log in to the broker of this cell, and to that of its mailbox, as its manager does, and log out.

    Does nothing where there is no RabbitMQ.

    :raises cells.transport.rabbitmq.BrokerUnusableError: no host of a broker accepts the login
    :raises cells.exceptions.ConfigurationError: a transport URL is wrong
    """
    for option, url in ((mailbox.OWN_OPTION, conf.transport_url), (mailbox.OPTION, conf.cells.mailbox_url)):
        if not transport_url.is_rabbitmq(url or ""):
            continue
        transport = open_transport(conf, url)
        try:
            with log_in(transport, url, CHECK_SECONDS, option):
                pass
        finally:
            transport.cleanup()


@contextlib.contextmanager
def log_in(
    transport: Any,
    url: str,
    timeout_seconds: float,
    option: str = mailbox.OWN_OPTION,
    name: str = "",
) -> Iterator[Any]:
    """Log in to the first host of ``transport`` that accepts, and keep the connection for the block.

    The connection is an ``amqp.Connection``; None: the transport is not that of RabbitMQ.

    :param url: of the transport, as the operator wrote it
    :param option: the option, or the command, that sets the URL
    :param name: the broker, at the beginning of the error; by default that of this cell, or of its mailbox
    :raises cells.transport.rabbitmq.BrokerUnusableError: no host accepts the login
    """
    driver = transport._driver
    if not transport_url.is_rabbitmq(url):
        yield None
        return
    settings = driver.conf.oslo_messaging_rabbit
    options = rabbitmq.LoginOptions(timeout_seconds, _tls(settings), settings.rabbit_login_method, option)
    hosts = [BrokerHost(host.hostname, host.port, host.username, host.password) for host in driver._url.hosts]
    with contextlib.ExitStack() as opened:
        login = rabbitmq.login_to_any(hosts or [BrokerHost("localhost")], driver._url.virtual_host, options)
        try:
            connection = opened.enter_context(login)
        except BrokerUnusableError as error:
            text = f"{name or _NAMES[option]}, {transport_url.mask(url)}, cannot be used: {error}"
            raise BrokerUnusableError(text, error.reason) from None
        yield connection


def _tls(settings: Any) -> dict[str, Any] | None:
    """Return the parameters of TLS, as the driver of oslo.messaging makes them from its options."""
    if not settings.ssl:
        return None
    files = {"keyfile": settings.ssl_key_file, "certfile": settings.ssl_cert_file, "ca_certs": settings.ssl_ca_file}
    parameters: dict[str, Any] = {name: file for name, file in files.items() if file}
    if settings.ssl_ca_file:
        parameters["cert_reqs"] = ssl.CERT_REQUIRED
        if hasattr(impl_rabbit.Connection, "_get_ssl_server_hostname"):  # older releases do not compare the name
            parameters["server_hostname"] = None
    return parameters
