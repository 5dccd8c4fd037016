"""Connections to RabbitMQ that read ahead; :mod:`cells.transport.patches.read_ahead` says why, and installs them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import amqp.transport  # type: ignore[import-untyped]
from kombu.transport import pyamqp

#: A read asks for so many bytes, or for the rest of the frame if that is more.
READ_BYTES = 8192
#: type, channel and size of a frame; its content and one octet follow
_HEADER = struct.Struct(">BHI")
_HEADER_BYTES = _HEADER.size


class _ReadsAhead:
    """Mix-in before a transport of py-amqp."""

    _quick_recv: Callable[[int], bytes]

    def _setup_transport(self) -> None:
        """Called when the socket is connected."""
        super()._setup_transport()  # type: ignore[misc]  # of the transport
        receive = self._quick_recv
        self._quick_recv = lambda size: receive(max(size, READ_BYTES))


class _TCPTransport(_ReadsAhead, amqp.transport.TCPTransport):  # type: ignore[misc]  # py-amqp has no types
    pass


class _TLSTransport(_ReadsAhead, amqp.transport.SSLTransport):  # type: ignore[misc]  # py-amqp has no types
    pass


class ReadAheadConnection(pyamqp.Connection):
    """A connection of py-amqp that reads ahead."""

    def Transport(  # noqa: N802  # the signature of py-amqp
        self,
        host: str,
        connect_timeout: float | None,
        ssl: object = False,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        **options: Any,
    ) -> Any:
        """Return the transport; called when the connection is opened."""
        made_by = _TLSTransport if ssl else _TCPTransport
        timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout, "write_timeout": write_timeout}
        return made_by(host, ssl=ssl, **timeouts, **options)

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Handle one frame, which needs no timeout if it has been read already."""
        transport = self.transport
        buffer = transport._read_buffer
        # The smallest frame has no content.
        if len(buffer) > _HEADER_BYTES and len(buffer) > _HEADER_BYTES + _HEADER.unpack_from(buffer)[2]:
            return self.on_inbound_frame(transport.read_frame())
        return super().blocking_read(timeout)


class ReadAheadTransport(pyamqp.Transport):
    """Kombu's driver for RabbitMQ, with connections that read ahead."""

    Connection = ReadAheadConnection


def use(connection: Any, kombu_transport: Any) -> None:
    """Let a connection of kombu use this driver if it leads to RabbitMQ.  Called first before it is open."""
    driver = connection.get_transport_cls()
    if driver is not kombu_transport and issubclass(driver, pyamqp.Transport):
        # Kombu makes a new one for each host that it tries, and has made one for the question what the driver can.
        connection.get_transport_cls = lambda: kombu_transport
        connection._transport = None


def reader_of(connection_class: Any) -> Any:
    """Return a subclass of oslo.messaging's connection to RabbitMQ that reads ahead."""

    class ReaderConnection(connection_class):  # type: ignore[misc]  # the library has no types
        """A connection that reads ahead."""

        def ensure_connection(self) -> None:
            """Called when the connection is made, and by its heartbeats."""
            use(self.connection, ReadAheadTransport)
            super().ensure_connection()

    return ReaderConnection
