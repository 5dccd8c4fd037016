"""Whether this cell's own broker lets a command in, and whether a manager consumes there.

oslo.messaging tries for ever to connect for the answer of a call, whatever
timeout the call has, and a wrong password is no end of it either; a question to a
queue that nobody reads is waited for to the end.  That is what a service wants;
an operator wants to read what is wrong.
"""

from __future__ import annotations

import time
from typing import Any

from cells import exceptions
from cells.transport import url as transport_url

TIMEOUT_SECONDS = 3
#: how often a manager is looked for in that time: it may just be started, or connect anew
_LOOK_SECONDS = 0.2
#: the transports that are RabbitMQ, as oslo.messaging names them
_RABBITMQ = frozenset({"rabbit", "kombu"})


def check(url: str, topic: str, *, is_encrypted: bool) -> None:
    """Log in to one of the hosts of ``url``, look for a manager, and log out.  Does nothing for other transports.

    :param topic: [cells] topic, which is the name of the queue that all managers of the cell read
    :param is_encrypted: TLS is on, with settings that only oslo.messaging knows: do not log in, just connect
    :raises cells.exceptions.ManagerTimeout: no host lets us in, or no manager consumes there
    :raises cells.exceptions.ConfigurationError: ``url`` is none
    """
    parsed = _parse(url)
    if parsed.transport not in _RABBITMQ:
        return
    reasons = []
    for host in parsed.hosts or (transport_url.BrokerHost("localhost"),):
        reason = _refusal(host, parsed.virtual_host or "/", topic, is_encrypted=is_encrypted)
        if reason is None:
            return
        reasons.append(f"{host.hostname}: {reason}")
    raise exceptions.ManagerTimeout(
        f"The broker of this cell, {transport_url.mask(url)}, cannot be used: {'; '.join(reasons)}. "
        "See whether it runs and whether [DEFAULT] transport_url is right.",
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


def _refusal(host: transport_url.BrokerHost, virtual_host: str, topic: str, *, is_encrypted: bool) -> str | None:
    """What the broker has against us, None if nothing."""
    import socket  # noqa: PLC0415

    import amqp  # type: ignore[import-untyped]  # noqa: PLC0415

    port = host.port or 5672
    try:
        if is_encrypted:
            socket.create_connection((host.hostname, port), TIMEOUT_SECONDS).close()
            return None
        with amqp.Connection(
            host=f"[{host.hostname}]:{port}" if ":" in host.hostname else f"{host.hostname}:{port}",
            userid=host.username or "guest",
            password=host.password or "guest",
            virtual_host=virtual_host,
            connect_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            write_timeout=TIMEOUT_SECONDS,
        ) as connection:
            _find_manager(connection, topic)
            return None
    except (OSError, amqp.AMQPError) as error:
        text = " ".join(str(getattr(error, "message", None) or error).split()).rstrip(".") or type(error).__name__
        return "the virtual host does not exist or is not open to this user" if "vhost" in text else text


def _find_manager(connection: Any, topic: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not _has_consumers(connection, topic):
        if time.monotonic() > deadline:
            raise exceptions.ManagerTimeout(
                f"No manager of this cell is there: nobody consumes from {topic!r} on its broker. Start cells-manager, "
                "or name the configuration file that it was started with.",
                timeout_seconds=float(TIMEOUT_SECONDS),
            )
        time.sleep(_LOOK_SECONDS)


def _has_consumers(connection: Any, topic: str) -> bool:
    import amqp  # noqa: PLC0415

    channel = connection.channel()
    try:
        is_consumed = bool(channel.queue_declare(queue=topic, passive=True).consumer_count)
    except amqp.NotFound:  # which closes the channel
        return False
    channel.close()
    return is_consumed
