"""The certificate that a broker shows in a TLS handshake, whoever has signed it: to see when it expires."""

from __future__ import annotations

import socket
import ssl
from typing import Any, NamedTuple

from cells.transport import rabbitmq
from cells.transport.url import BrokerHost


class TLSHost(NamedTuple):
    """One host of a broker, and the files with which this cell shows who it is."""

    hostname: str
    port: int
    #: file of the certificate and of its key; empty: none is configured
    certificate: str = ""
    key: str = ""

    def __str__(self) -> str:
        return rabbitmq.address(BrokerHost(self.hostname, self.port))


def hosts_of(transport: Any) -> list[TLSHost]:
    """Return the hosts of a transport to RabbitMQ, which has no connection yet, and close it; none without TLS."""
    settings, hosts = transport._driver.conf.oslo_messaging_rabbit, transport._driver._url.hosts
    files = (settings.ssl_cert_file or "", settings.ssl_key_file or "")
    transport.cleanup()
    return (
        [TLSHost(host.hostname, host.port or rabbitmq.DEFAULT_PORT, *files) for host in hosts] if settings.ssl else []
    )


def shown_by(host: TLSHost, timeout_seconds: float) -> bytes:
    """Return the certificate of a host in DER.  Nothing is sent after the handshake; blocks for the timeout.

    :raises OSError: the host does not answer in time, or the handshake fails
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # An expired certificate must be shown, too; nothing is sent that has to be secret.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if host.certificate:
        context.load_cert_chain(host.certificate, host.key or None)
    with (
        socket.create_connection((host.hostname, host.port), timeout_seconds) as opened,
        context.wrap_socket(opened, server_hostname=host.hostname) as encrypted,
    ):
        return encrypted.getpeercert(binary_form=True) or b""
