"""Options of one link, in the query of its transport URL: ``rabbit://h/v?ssl=true&control_exchange=nova``.

They are options of oslo.messaging's driver, here for one neighbor: the group [oslo_messaging_rabbit], or a part of the
group [oslo_messaging_zmq].  oslo.messaging reads them from the query.  ``control_exchange`` is an option of this
project: the exchange of the neighbor's managers, which is [DEFAULT] control_exchange of the neighbor.  The driver
``rpc`` reads it and removes it from the URL.

This module imports oslo.messaging only if a URL has options.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any
from urllib import parse as urllib_parse

from cells import exceptions
from cells.transport import url as transport_url
from cells.transport.rabbitmq import MAX_NAME_BYTES
from cells.transport.url import TransportURL

EXCHANGE = "control_exchange"


def read(url: str) -> dict[str, str]:
    """Return the options in the query of ``url``, ``control_exchange`` included."""
    return dict(_pairs(url.partition("?")[2]))


def exchange_of(url: str) -> str | None:
    """Return the exchange of the managers behind ``url``; None: that of this cell."""
    return read(url).get(EXCHANGE)


def for_library(url: str, defaults: Mapping[str, str]) -> str:
    """Return ``url`` for oslo.messaging, with ``defaults`` for the options that it lacks."""
    options = {**defaults, **read(url)}
    options.pop(EXCHANGE, None)
    return url.partition("?")[0] + (f"?{urllib_parse.urlencode(options)}" if options else "")


def change(url: TransportURL, changes: Mapping[str, str]) -> TransportURL:
    """Return ``url`` with changed options; an empty value removes its option.

    The result is not checked.
    """
    options = {name: value for name, value in {**dict(_pairs(url.query)), **changes}.items() if value}
    return dataclasses.replace(url, query=urllib_parse.urlencode(options))


def check(url: TransportURL) -> None:
    """Check the options of a link; those of an unknown transport are not checked, except ``control_exchange``.

    :raises cells.exceptions.InvalidNeighbor: an option is unknown or given twice, or its value is wrong
    """
    pairs = _pairs(url.query)
    checks = _checks(url.transport) if pairs else None
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen:
            raise exceptions.InvalidNeighbor(f"The transport URL has the option {name:.40} twice.")
        seen.add(name)
        if checks is not None and name not in checks:
            raise exceptions.InvalidNeighbor(
                f"The transport URL has an unknown option {name!r:.40}; options of this transport: "
                f"{', '.join(sorted(checks))}."
            )
        check_value = (checks or _OF_THIS_PROJECT).get(name)
        if check_value is not None:
            _check_value(name, value, check_value)


def _pairs(query: str) -> list[tuple[str, str]]:
    return urllib_parse.parse_qsl(query, keep_blank_values=True)


def _check_value(name: str, value: str, check_value: Callable[[str], Any]) -> None:
    if not value:
        raise exceptions.InvalidNeighbor(f"The option {name} of the transport URL has no value.")
    try:
        check_value(value)
    except ValueError as error:
        raise exceptions.InvalidNeighbor(f"The option {name} of the transport URL is wrong: {error!s:.120}.") from None


def _checks(transport: str) -> Mapping[str, Callable[[str], Any]] | None:
    """Return a function for each option, which raises ValueError for a wrong value; None: the options are unknown."""
    family = transport.partition("+")[0]
    if family in transport_url.RABBITMQ_TRANSPORTS:
        from oslo_messaging._drivers import amqp, impl_rabbit  # noqa: PLC0415  # slow to import

        options = [*impl_rabbit.rabbit_opts, *amqp.amqp_opts]
        return {**_OF_THIS_PROJECT, **{option.dest: option.type for option in options}}
    return {**_OF_THIS_PROJECT, **ZMQ_OPTIONS} if family == transport_url.ZMQ_TRANSPORT else None


def _exchange(text: str) -> None:
    if not text.isprintable() or len(text.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"the name of an exchange has at most {MAX_NAME_BYTES} printable bytes")


def _positive(text: str) -> None:
    if not 0 < float(text) < float("inf"):
        raise ValueError("it must be a number above 0")


def _security(text: str) -> None:
    if text not in ("curve", "none"):
        raise ValueError("it must be one of curve, none")


_OF_THIS_PROJECT: Mapping[str, Callable[[str], Any]] = {EXCHANGE: _exchange}
#: Options of the group [oslo_messaging_zmq] that concern a neighbor; numbers have the bounds of the group.
ZMQ_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "connect_timeout": _positive,
    "delivery_timeout": _positive,
    "keys_dir": str,
    "max_connections": _positive,
    "max_message_bytes": _positive,
    "peer": str,
    "tcp_security": _security,
}
