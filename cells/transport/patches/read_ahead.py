"""Reads from RabbitMQ that take all bytes that have arrived, instead of one part of a frame at a time.

py-amqp reads each frame in three parts, and sets the timeout of the socket before each frame and after it.  A message
has three frames, so it costs nine waits, nine reads and six changes of the timeout.  Each of these 24 system calls lets
another thread run, which then has to hand the interpreter back.  py-amqp keeps bytes that are left over for its next
read: here it gets as many as have arrived, so that most messages need one wait and one read.
"""

from __future__ import annotations

from typing import Any

from cells.transport import internals
from cells.transport.patches.base import Patch, names_in


class ReadAhead(Patch):
    """The connections of this project read ahead."""

    name = "read_ahead"
    library = "amqp"

    def _is_applicable(self) -> bool:
        import amqp.transport  # type: ignore[import-untyped]  # noqa: PLC0415  # for RabbitMQ only
        from kombu import connection  # noqa: PLC0415

        kombu_connection: Any = connection.Connection
        tcp, tls = amqp.transport.TCPTransport, amqp.transport.SSLTransport
        return (
            {"_transport", "create_transport"} <= names_in(kombu_connection.transport.fget)
            and "get_transport_cls" in names_in(kombu_connection.create_transport)
            and all("_quick_recv" in names_in(cls._setup_transport) for cls in (tcp, tls))
            and all({"_quick_recv", "_read_buffer"} <= names_in(cls._read) for cls in (tcp, tls))
            and "Transport" in names_in(amqp.Connection.connect)
            and {"having_timeout", "read_frame", "on_inbound_frame"} <= names_in(amqp.Connection.blocking_read)
        )


READ_AHEAD = ReadAhead()


def is_used(conf: Any) -> bool:
    """Return whether the connections of a process with this configuration read ahead."""
    return READ_AHEAD.is_active and not READ_AHEAD.is_disabled_by(conf)


def apply_to(transport: Any) -> None:
    """Let the future connections of ``transport`` read ahead; for RabbitMQ only.  No I/O."""
    pool = internals.connection_pool_of(transport)
    if pool is not None and is_used(transport.conf):
        from cells.transport.patches import read_ahead_connections  # noqa: PLC0415  # for RabbitMQ only

        pool.connection_cls = read_ahead_connections.reader_of(pool.connection_cls)
