"""The request context of a received message, which a listener copies value by value before a server sees it.

The listener has just taken the values out of the message and keeps no reference to them, so the copy protects nothing.
For a usual context of thirty keys, it costs as much as the rest of the listener.
"""

from __future__ import annotations

from typing import Any

from cells.transport.patches.base import Patch, names_in


class RequestContext(Patch):
    """A listener hands the request context of a message on without a deep copy."""

    name = "request_context"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqp, amqpdriver, common  # noqa: PLC0415  # slow to import

        return (
            names_in(common.CommonRpcContext.to_dict) == {"copy", "deepcopy", "values"}
            and "to_dict" not in vars(amqp.RpcContext)
            and names_in(amqp.unpack_context) >= {"RpcContext", "from_dict", "pop"}
            and names_in(amqpdriver.AMQPListener.__call__) >= {"unpack_context", "to_dict", "message_cls"}
        )

    def _install(self) -> None:
        from oslo_messaging._drivers import amqp  # noqa: PLC0415

        def to_dict(context: Any) -> dict[str, Any]:
            """Return the values of a context that :func:`unpack_context` has made."""
            return dict(context.values)

        amqp.RpcContext.to_dict = to_dict


REQUEST_CONTEXT = RequestContext()
