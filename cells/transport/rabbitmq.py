"""Login to RabbitMQ without oslo.messaging, for checks that must end after a timeout."""

from __future__ import annotations

from typing import Any

from cells.transport.url import BrokerHost

DEFAULT_PORT = 5672
DEFAULT_USER = "guest"
TIMEOUT_SECONDS = 3


def login(host: BrokerHost, virtual_host: str) -> Any:
    """Return an ``amqp.Connection``, which logs in when its ``with`` block begins.  May block for the timeout.

    :raises OSError: the block does, if the host cannot be reached or does not answer in time
    :raises amqp.AMQPError: the block does, if the broker refuses the login
    """
    import amqp  # type: ignore[import-untyped]  # noqa: PLC0415  # brokerless cells do not need it

    return amqp.Connection(
        host=address(host),
        userid=host.username or DEFAULT_USER,
        password=host.password or DEFAULT_USER,
        virtual_host=virtual_host,
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        write_timeout=TIMEOUT_SECONDS,
    )


def address(host: BrokerHost) -> str:
    """Return ``host:port``, with an IPv6 address in brackets."""
    name = f"[{host.hostname}]" if ":" in host.hostname else host.hostname
    return f"{name}:{host.port or DEFAULT_PORT}"
