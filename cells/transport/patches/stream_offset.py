"""The place in a stream from which a server reads, with [oslo_messaging_rabbit] rabbit_stream_fanout.

A stream keeps the messages that were read.  A server of oslo.messaging starts at the last chunk of the stream, which
holds up to thousands of messages, so that it runs all of them again after each restart.
"""

from __future__ import annotations

import functools
from typing import Any

from cells.transport.patches.base import Patch, names_in

#: RabbitMQ's name for the end of a stream
END = "next"


class StreamOffset(Patch):
    """A server reads a stream from its end, as a fan-out queue has only the messages since its declaration."""

    name = "stream_offset"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import impl_rabbit  # noqa: PLC0415  # slow to import

        consumer = impl_rabbit.Consumer
        return all(
            "next_stream_offset" in names_in(method)
            for method in (consumer.__init__, consumer.declare, consumer.reset_stream_offset)
        )

    def _install(self) -> None:
        from oslo_messaging._drivers import impl_rabbit  # noqa: PLC0415

        for name in ("__init__", "reset_stream_offset"):
            _then_at_the_end(impl_rabbit.Consumer, name)


def _then_at_the_end(consumer_class: Any, name: str) -> None:
    method = getattr(consumer_class, name)

    @functools.wraps(method)
    def replaced(consumer: Any, *arguments: Any, **options: Any) -> None:
        method(consumer, *arguments, **options)
        consumer.next_stream_offset = END

    setattr(consumer_class, name, replaced)


STREAM_OFFSET = StreamOffset()
