"""The number of unread messages that RabbitMQ delivers to a listener in advance.

By default a listener receives all messages of its queue.  A manager that starts
with a long queue would take all of them before it handles the first one, keep them from the other
managers of its cell, and lose them if it dies: RPC messages are acknowledged when they are read.
"""

from __future__ import annotations

from oslo_config import cfg

from cells.transport.patches.base import Patch

#: Casts, each of one message or of many.
PREFETCH_COUNT = 8
_OPTION = "rabbit_qos_prefetch_count"


class Prefetch(Patch):
    """The default of [oslo_messaging_rabbit] rabbit_qos_prefetch_count is small; the configuration can change it."""

    name = "prefetch"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import impl_rabbit  # noqa: PLC0415  # clients of other drivers do not need it

        return any(option.name == _OPTION for option in impl_rabbit.rabbit_opts)

    def _install(self) -> None:
        from oslo_messaging._drivers import impl_rabbit  # noqa: PLC0415

        cfg.set_defaults(impl_rabbit.rabbit_opts, **{_OPTION: PREFETCH_COUNT})


PREFETCH = Prefetch()
