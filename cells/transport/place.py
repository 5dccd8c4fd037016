"""Comparison of the places to which transport URLs lead: the brokers and virtual hosts.  Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable

from cells import exceptions
from cells.transport import url as transport_url
from cells.transport.rabbitmq import DEFAULT_PORT
from cells.transport.url import TransportURL


def is_one_place(one: TransportURL, other: TransportURL) -> bool:
    """Return whether two URLs share a host and have one virtual host.  Names of one host are not recognized."""
    return _virtual_host(one) == _virtual_host(other) and bool(_addresses(one) & _addresses(other))


def is_among(url: str, others: Iterable[str]) -> bool:
    """Return whether ``url`` and one of ``others`` lead to one virtual host of RabbitMQ.  Invalid URLs lead nowhere."""
    parsed = _parsed(url)
    found = map(_parsed, others)
    return parsed is not None and any(other is not None and is_one_place(parsed, other) for other in found)


def _parsed(url: str) -> TransportURL | None:
    if not transport_url.is_rabbitmq(url):
        return None
    try:
        return transport_url.parse(url)
    except exceptions.InvalidNeighbor:
        return None


def _virtual_host(url: TransportURL) -> str:
    return url.virtual_host or "/"


def _addresses(url: TransportURL) -> set[tuple[str, int]]:
    return {(host.hostname.lower(), host.port or DEFAULT_PORT) for host in url.hosts}
