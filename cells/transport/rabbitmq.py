"""Login to RabbitMQ without oslo.messaging, for checks that must end after a timeout.

oslo.messaging retries a connection without end, also if the password is wrong or the virtual host does not exist.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cells.transport.url import BrokerHost

DEFAULT_PORT = 5672
#: AMQP writes the length of a name, of a queue, an exchange or a routing key, into one byte.
MAX_NAME_BYTES = 255
DEFAULT_USER = "guest"
TIMEOUT_SECONDS = 3


#: The reasons for which a host accepts no login, in one word.
UNREACHABLE, SILENT, NO_AMQP, NO_TLS, LOGIN, VIRTUAL_HOST = (
    "unreachable",
    "silent",
    "no_amqp",
    "tls",
    "login",
    "virtual_host",
)


class BrokerUnusableError(Exception):
    """Raised when no host accepts a login.  Its text names each host, the reason, and the option to change."""

    def __init__(self, text: str, reason: str = UNREACHABLE) -> None:
        """:param reason: of the last host, as above"""
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class LoginOptions:
    """Settings of a login beside its URL."""

    #: of the connection, and of each answer of the broker
    timeout_seconds: float = TIMEOUT_SECONDS
    #: parameters of TLS as the library ``amqp`` takes them; ``server_hostname`` is replaced by the host; None: no TLS
    tls: Mapping[str, Any] | None = None
    #: None: the best method that the broker offers
    method: str | None = None
    #: the option that has the URL, for the reason of a refused login
    url_option: str = "[DEFAULT] transport_url"


def login(host: BrokerHost, virtual_host: str, options: LoginOptions | None = None) -> Any:
    """Return an ``amqp.Connection``, which logs in when its ``with`` block begins.  May block for the timeout.

    :raises OSError: the block does, if the host cannot be reached or does not answer in time
    :raises amqp.AMQPError: the block does, if the broker refuses the login
    """
    import amqp  # type: ignore[import-untyped]  # noqa: PLC0415  # brokerless cells do not need it

    options = options or LoginOptions()
    return amqp.Connection(
        host=address(host),
        userid=host.username or DEFAULT_USER,
        password=host.password or DEFAULT_USER,
        virtual_host=virtual_host,
        login_method=options.method,
        ssl=False if options.tls is None else _tls(options.tls, host),
        connect_timeout=options.timeout_seconds,
        read_timeout=options.timeout_seconds,
        write_timeout=options.timeout_seconds,
    )


def count_consumers(connection: Any, queue: str) -> int:
    """Return how many consumers a queue has, 0 if it does not exist.

    :param connection: of ``amqp`` or kombu
    """
    import amqp  # noqa: PLC0415  # brokerless cells do not need it

    # A channel of its own, because the broker closes it if there is no such queue.
    channel = connection.channel()
    try:
        return int(channel.queue_declare(queue=queue, passive=True).consumer_count)
    except amqp.NotFound:
        return 0
    finally:
        if channel.is_open:
            channel.close()


@contextlib.contextmanager
def login_to_any(
    hosts: Iterable[BrokerHost], virtual_host: str | None, options: LoginOptions | None = None
) -> Iterator[Any]:
    """Log in to the first host that accepts, and keep the connection for the block.  Blocks for the timeout per host.

    :raises BrokerUnusableError: no host accepts
    """
    reasons, word = [], UNREACHABLE
    with contextlib.ExitStack() as opened:
        for host in hosts:
            try:
                connection = opened.enter_context(login(host, virtual_host or "/", options))
            except Exception as error:  # amqp raises errors of its own, of sockets, of TLS and of the reader of frames
                word, why = _why(error, host, virtual_host or "/", options)
                reasons.append(f"{address(host)}: {why}")
                continue
            yield connection
            return
    raise BrokerUnusableError("; ".join(reasons), word)


def address(host: BrokerHost) -> str:
    """Return ``host:port``, with an IPv6 address in brackets."""
    name = f"[{host.hostname}]" if ":" in host.hostname else host.hostname
    return f"{name}:{host.port or DEFAULT_PORT}"


def _tls(parameters: Mapping[str, Any], host: BrokerHost) -> dict[str, Any] | bool:
    names = {"server_hostname": host.hostname} if "server_hostname" in parameters else {}
    return {**parameters, **names} or True


def _why(error: Exception, host: BrokerHost, virtual_host: str, options: LoginOptions | None) -> tuple[str, str]:
    """Return why a host does not accept a login, in one word, and as a text with the option to change."""
    import amqp  # noqa: PLC0415

    text = " ".join(str(getattr(error, "message", None) or error).split()).rstrip(".")
    text = text[:200] or type(error).__name__
    options = options or LoginOptions()
    is_encrypted = options.tls is not None
    if "vhost" in text:
        return VIRTUAL_HOST, (
            f"the virtual host {virtual_host} does not exist, or user {host.username or DEFAULT_USER} has no access "
            f"to it: create it, or correct {options.url_option}"
        )
    if isinstance(error, amqp.AccessRefused):
        return LOGIN, (
            f"it refuses the login of user {host.username or DEFAULT_USER}: correct user and password in "
            f"{options.url_option}"
        )
    if isinstance(error, ssl.SSLError):
        return NO_TLS, f"TLS fails ({text}): check ssl and the files ssl_* in [oslo_messaging_rabbit]"
    if isinstance(error, TimeoutError):
        return SILENT, f"no answer in {options.timeout_seconds:g} s"
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionResetError):
        return UNREACHABLE, text
    hint = "false if the port has no TLS" if is_encrypted else "true if the port has TLS"
    return NO_AMQP, f"it does not answer in AMQP ({text}): set [oslo_messaging_rabbit] ssl = {hint}"
