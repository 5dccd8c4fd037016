"""Check of all settings that this cell depends on, before its manager starts or a command uses them.

A setting that can never work ends the start with an error that names the option.  Conditions that may change while the
manager waits (a broker that is away, a login that is not created yet) are not settings: they are tried again.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

from oslo_config import cfg

from cells import exceptions, path
from cells.conf import options
from cells.transport import mailbox, socket_address
from cells.transport import url as transport_url
from cells.transport.rabbitmq import MAX_NAME_BYTES

#: the driver whose URLs are those of oslo.messaging
RPC_DRIVER = "rpc"
#: added to a topic for the queue of a fan-out: "_fanout_" and 32 hexadecimal digits
_FANOUT_SUFFIX = "_fanout_" + "0" * 32
#: the longest of the topics below [cells] rpc_driver_queue_base
_LONGEST_TYPE = "broadcast"


def check(conf: cfg.ConfigOpts, *, is_manager: bool = True) -> None:
    """Check all settings.  Does no I/O but a look at the addresses of this host.

    :param is_manager: whether the process listens for neighbors and monitoring; a command may run on another host
    :raises cells.exceptions.ConfigurationError: a setting cannot work; the first of :func:`problems`
    """
    for problem in problems(conf, is_manager=is_manager):
        raise exceptions.ConfigurationError(problem)


def check_values(conf: cfg.ConfigOpts) -> None:
    """Read every option, also those of libraries, which otherwise read theirs while they serve.

    :raises cells.exceptions.ConfigurationError: a value is wrong
    """
    _register_libraries(conf)
    options.check(conf)


def problems(conf: cfg.ConfigOpts, *, is_manager: bool = True) -> Iterator[str]:
    """Yield an error text for each setting that cannot work, each naming its option."""
    of_managers = (_listen,) if is_manager else ()
    for part in (_values, _names, _broker, _mailbox, _database, _bind, *of_managers):
        try:
            yield from part(conf)
        except exceptions.ConfigurationError as error:
            yield error.message
            if part is _values:
                # The other parts would fail for the same reason.
                return


def _values(conf: cfg.ConfigOpts) -> Iterator[str]:
    check_values(conf)
    return iter(())


def _register_libraries(conf: cfg.ConfigOpts) -> None:
    # These imports are slow, and some commands need none of them.
    from oslo_messaging import opts as messaging_opts  # noqa: PLC0415
    from oslo_service import opts as service_opts  # noqa: PLC0415

    from cells.transport.opening import register_options, register_rabbitmq_options  # noqa: PLC0415

    register_options(conf)
    service_opts.register_service_opts(conf)
    for group, registered in messaging_opts.list_opts():
        if group is None:
            conf.register_opts(registered)
    if _is_rabbitmq(conf):
        register_rabbitmq_options(conf)


def _is_rabbitmq(conf: cfg.ConfigOpts) -> bool:
    try:
        return any(map(transport_url.is_rabbitmq, _own_urls(conf)))
    except cfg.Error:  # reported with its name by options.check
        return True


def _own_urls(conf: cfg.ConfigOpts) -> tuple[str, ...]:
    """Return the URLs at which this cell receives, from its services and from neighbors."""
    return mailbox.own_urls(conf)


def _names(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Check the lengths of the names that brokers and other cells get."""
    host, cells = conf.host, conf.cells
    if not host or not host.isprintable():
        yield "[DEFAULT] host is empty or has control characters: give this manager a name, such as that of its host."
        return
    if len(host) > path.MAX_NAME_LENGTH:
        yield f"[DEFAULT] host has {len(host)} characters, and other cells accept {path.MAX_NAME_LENGTH}: shorten it."
        return
    topics = {"topic": cells.topic, "rpc_driver_queue_base": f"{cells.rpc_driver_queue_base}.{_LONGEST_TYPE}"}
    for option, topic in topics.items():
        queue = max(f"{topic}.{host}", topic + _FANOUT_SUFFIX, f"{topic}_fanout_{host}:cells-manager:1", key=_size)
        excess = _size(queue) - MAX_NAME_BYTES
        if excess > 0:
            longest = "[DEFAULT] host" if _size(host) >= _size(topic) else f"[cells] {option}"
            yield (
                f"{longest} is too long: the queue {topic:.40}... of this manager would have a name of {_size(queue)} "
                f"bytes, and AMQP allows {MAX_NAME_BYTES}. Shorten it by {excess} bytes."
            )
            return
    exchanges = {"[DEFAULT] control_exchange": conf.control_exchange, "[cells] exchange": cells.exchange or ""}
    for name, exchange in exchanges.items():
        if _size(exchange) > MAX_NAME_BYTES:
            yield f"{name} has {_size(exchange)} bytes, and AMQP allows {MAX_NAME_BYTES}: shorten it."


def _size(text: str) -> int:
    return len(text.encode(errors="surrogateescape"))


def _broker(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Check the URL of the own broker, as far as its form shows that it cannot work."""
    url = conf.transport_url
    _, separator, rest = url.partition("://")
    if not separator or not rest.strip("/"):
        return  # without hosts, as "fake://": the driver decides
    if not transport_url.is_brokerless(url):
        try:
            transport_url.check_usable(transport_url.parse(url))
        except exceptions.InvalidNeighbor as error:
            yield f"[DEFAULT] transport_url cannot be used: {error.message}"


def _mailbox(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Check that neighbors can have a mailbox, and that it is apart from the own bus."""
    cells = conf.cells
    if not cells.mailbox_url:
        if cells.mailbox_migration:
            yield f"[cells] mailbox_migration has no effect without {mailbox.OPTION}: set that, or remove the option."
        return
    problem = mailbox.problem(conf.transport_url, cells.mailbox_url)
    if problem:
        yield problem
    elif cells.driver == RPC_DRIVER:
        from cells.transport.opening import open_transport  # noqa: PLC0415  # slow to import

        try:
            open_transport(conf, cells.mailbox_url).cleanup()
        except exceptions.ConfigurationError as error:
            yield f"{mailbox.OPTION}: {error.message}"


def _database(conf: cfg.ConfigOpts) -> Iterator[str]:
    from cells.db import engine  # noqa: PLC0415  # SQLAlchemy is slow to import

    engine.check_encodable(engine.read_url(conf.database.connection))
    return iter(())


def _bind(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Check that the address to serve on belongs to this host."""
    bind = conf.oslo_messaging_zmq.bind
    if not bind or not any(map(transport_url.is_brokerless, _own_urls(conf))):
        return
    from cells.brokerless import addresses  # noqa: PLC0415  # most cells have a broker

    hostname, _ = addresses.split_tcp(addresses.read_bind(bind))
    reason = _why_unusable(hostname)
    if reason:
        yield (
            f"[oslo_messaging_zmq] bind = {bind} cannot be used: {reason}. Write an address of this host that other "
            "hosts can connect to."
        )


def _listen(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Check the addresses at which neighbors with direct links, and a monitoring system, connect."""
    for group in ("cells_direct", "cells_metrics"):
        for text in conf[group].listen:
            try:
                hostname, _ = socket_address.split(text)
            except exceptions.ConfigurationError as error:
                yield f"[{group}] listen: {error.message}"
                continue
            reason = _why_unusable(hostname)
            if reason:
                yield f"[{group}] listen = {text} cannot be used: {reason}. Write an address of this host, or 0.0.0.0."


def _why_unusable(hostname: str) -> str:
    """Return why no process of this host can serve on ``hostname``; empty if one can."""
    try:
        found = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return "no address belongs to that name"
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return "this host does not have that address"
    return ""


def endpoints_of_one_name() -> Iterator[str]:
    """Yield an error text if the installed packages of endpoints do not fit together."""
    from cells.endpoints import Endpoints  # noqa: PLC0415  # imports every package with endpoints

    try:
        Endpoints.load()
    except exceptions.PluginError as error:
        yield error.message
