"""The hosts of brokers to which this cell connects with TLS: its own, and those of neighbors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from oslo_config import cfg

from cells import exceptions
from cells.neighbors.neighbor import Neighbor
from cells.transport import mailbox, tls_certificate
from cells.transport import url as transport_url
from cells.transport.link import open_link
from cells.transport.opening import open_transport
from cells.transport.tls_certificate import TLSHost


class EncryptedHost(NamedTuple):
    """One host of a broker."""

    #: the neighbor; empty: this cell
    owner: str
    host: TLSHost


def of_this_cell(conf: cfg.ConfigOpts) -> Iterator[EncryptedHost]:
    """Yield the hosts at which this cell receives."""
    for url in {mailbox.OWN_OPTION: conf.transport_url, **mailbox.receiving_urls(conf)}.values():
        if transport_url.is_rabbitmq(url or ""):
            with contextlib.suppress(exceptions.CellsError):  # the check of the configuration reports it
                for host in tls_certificate.hosts_of(open_transport(conf, url)):
                    yield EncryptedHost("", host)


def of_neighbor(conf: cfg.ConfigOpts, row: Neighbor) -> Iterator[EncryptedHost]:
    """Yield the hosts at which a neighbor receives."""
    if transport_url.is_rabbitmq(row.transport_url):
        with contextlib.suppress(exceptions.CellsError):  # the check of the neighbors reports it
            for host in tls_certificate.hosts_of(open_link(conf, row.transport_url, int(conf.cells.send_timeout))):
                yield EncryptedHost(row.name, host)
