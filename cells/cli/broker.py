"""Check of this cell's own broker before a command uses it: the login works, and a manager consumes there.

oslo.messaging retries the connection for the reply queue of a call forever, whatever the timeout of
the call, even if the password is wrong; and a call to a queue without a consumer waits for its whole timeout.
That suits a service.  An operator needs an error at once.
"""

from __future__ import annotations

import time
from typing import Any

from cells import exceptions
from cells.transport import rabbitmq
from cells.transport import url as transport_url

TIMEOUT_SECONDS = rabbitmq.TIMEOUT_SECONDS
#: Within the timeout the check looks for a manager repeatedly: the manager may start or reconnect.
_POLL_SECONDS = 0.2


def check(url: str, topic: str, *, is_encrypted: bool) -> None:
    """Log in to one of the hosts of ``url``, look for a manager, and log out.  Does nothing for other transports.

    :param topic: [cells] topic, which is the name of the queue of all managers of the cell
    :param is_encrypted: TLS is on, with settings that only oslo.messaging reads: connect without a login
    :raises cells.exceptions.ManagerTimeout: the login fails on every host, or no manager consumes there
    :raises cells.exceptions.ConfigurationError: ``url`` is not a transport URL
    """
    parsed = _parse(url)
    if parsed.transport not in transport_url.RABBITMQ_TRANSPORTS:
        return
    reasons = []
    for host in parsed.hosts or (transport_url.BrokerHost("localhost"),):
        reason = _check_host(host, parsed.virtual_host or "/", topic, is_encrypted=is_encrypted)
        if reason is None:
            return
        reasons.append(f"{host.hostname}: {reason}")
    raise exceptions.ManagerTimeout(
        f"The broker of this cell, {transport_url.mask(url)}, cannot be used: {'; '.join(reasons)}. "
        "Check that the broker runs and that [DEFAULT] transport_url is right.",
        timeout_seconds=float(TIMEOUT_SECONDS),
    )


def _parse(url: str) -> transport_url.TransportURL:
    scheme, _, rest = url.partition("://")
    if not rest.strip("/"):
        return transport_url.TransportURL(scheme)
    try:
        return transport_url.parse(url)
    except exceptions.InvalidNeighbor as error:
        raise exceptions.ConfigurationError(f"[DEFAULT] transport_url cannot be used: {error.message}") from None


def _check_host(host: transport_url.BrokerHost, virtual_host: str, topic: str, *, is_encrypted: bool) -> str | None:
    """Return the reason why the broker refuses the login, None if it accepts.

    :raises cells.exceptions.ManagerTimeout: the broker accepts, and no manager consumes there
    """
    import socket  # noqa: PLC0415

    import amqp  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        if is_encrypted:
            address = (host.hostname, host.port or rabbitmq.DEFAULT_PORT)
            socket.create_connection(address, rabbitmq.TIMEOUT_SECONDS).close()
            return None
        with rabbitmq.login(host, virtual_host) as connection:
            _find_manager(connection, topic)
            return None
    except (OSError, amqp.AMQPError) as error:
        text = " ".join(str(getattr(error, "message", None) or error).split()).rstrip(".") or type(error).__name__
        return "the virtual host does not exist, or this user has no access to it" if "vhost" in text else text


def _find_manager(connection: Any, topic: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not _has_consumers(connection, topic):
        if time.monotonic() > deadline:
            raise exceptions.ManagerTimeout(
                f"No manager of this cell runs: the queue {topic!r} has no consumer. Start cells-manager, "
                "or give the configuration file of the running manager.",
                timeout_seconds=float(TIMEOUT_SECONDS),
            )
        time.sleep(_POLL_SECONDS)


def _has_consumers(connection: Any, topic: str) -> bool:
    import amqp  # noqa: PLC0415

    channel = connection.channel()
    try:
        is_consumed = bool(channel.queue_declare(queue=topic, passive=True).consumer_count)
    except amqp.NotFound:  # RabbitMQ has closed the channel
        return False
    channel.close()
    return is_consumed
