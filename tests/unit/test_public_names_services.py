"""What authors of services, and cells of other releases, rely on by name when services call each other."""

from __future__ import annotations

import inspect

import cells.endpoints
import cells.rpc
from cells.manager.service_calls import ServiceCalls
from cells.rpc.call_context import CallContext
from cells.services.answers import ERROR, FAILURE, RESULT
from cells.services.local import LocalServices
from cells.services.request import ServiceRequest


def methods(cls: type) -> list[str]:
    """The public methods and properties of a class, its bases' included."""
    return sorted(name for name in dir(cls) if not name.startswith("_"))


def keywords(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_library_for_authors() -> None:
    assert cells.rpc.__all__ == [
        "Answers",
        "ClientException",
        "CommonRpcContext",
        "Connection",
        "DuplicateMessageError",
        "InvalidRPCConnectionReuse",
        "MessageDeliveryFailure",
        "NumberedAnswers",
        "RPCClient",
        "RPCException",
        "RemoteError",
        "Timeout",
        "UnsupportedRpcEnvelopeVersion",
        "any_cell",
        "broadcast",
        "call",
        "cast",
        "cleanup",
        "client_exceptions",
        "create_connection",
        "current_context",
        "deserialize_msg",
        "fanout_cast",
        "get_rpc_client",
        "init",
        "multicall",
        "serialize_msg",
    ]
    assert [name for name in keywords(cells.rpc.RPCClient) if not name.startswith("_")] == [
        "transport",
        "target",
        "timeout",
        "version_cap",
        "serializer",
        "retry",
        "call_monitor_timeout",
        "transport_options",
    ]
    assert keywords(cells.rpc.RPCClient.prepare)[1:] == [
        "exchange",
        "topic",
        "namespace",
        "version",
        "server",
        "fanout",
        "timeout",
        "version_cap",
        "retry",
        "call_monitor_timeout",
        "transport_options",
        "cell",
        "cells",
        "need",
    ]
    assert keywords(cells.rpc.RPCClient.prepare) == keywords(CallContext.prepare)
    assert methods(cells.rpc.Answers) == ["close"]
    assert keywords(cells.rpc.RemoteError) == ["exc_type", "value", "traceback"]
    assert methods(cells.rpc.CommonRpcContext) == ["deepcopy", "elevated", "from_dict", "to_dict", "update_store"]
    assert set(methods(cells.rpc.Connection)) >= {
        "close",
        "consume_in_thread",
        "create_consumer",
        "create_worker",
        "join_consumer_pool",
    }
    assert keywords(cells.rpc.Connection.create_consumer)[:4] == ["self", "topic", "proxy", "fanout"]
    assert keywords(cells.rpc.Connection.create_worker)[:4] == ["self", "topic", "proxy", "pool_name"]
    assert keywords(cells.rpc.Connection.join_consumer_pool)[:5] == [
        "self",
        "callback",
        "pool_name",
        "topic",
        "exchange_name",
    ]


def test_manager_offers_the_library_its_operations() -> None:
    """An older client asks a newer manager, and the other way round: what is added here has to have a default."""
    assert {name: keywords(getattr(ServiceCalls, name))[1:] for name in methods(ServiceCalls) if name != "target"} == {
        "broadcast": ["ctxt", "request", "cells", "what"],
        "call": ["ctxt", "request", "timeout", "cell", "message_id"],
        "cast": ["ctxt", "request", "timeout", "cell", "message_id"],
        "multicall_next": ["ctxt", "multicall_id"],
        "multicall_start": ["ctxt", "request", "cells", "timeout"],
        "multicall_stop": ["ctxt", "multicall_id"],
    }
    assert (ServiceCalls.target.namespace, ServiceCalls.target.version) == ("services", "1.0")


def test_services() -> None:
    """What cells of different releases, and endpoints of other packages, see of them."""
    assert (RESULT, FAILURE, ERROR) == ("result", "failure", "error")
    assert keywords(ServiceRequest) == [
        "topic",
        "method",
        "args",
        "exchange",
        "namespace",
        "version",
        "server",
        "fanout",
        "monitor_seconds",
        "at_least_once",
    ]
    assert methods(LocalServices) == ["call", "cast", "publish", "stop"]
    services = cells.endpoints.Endpoints.load()
    parameters = {
        name: keywords(services._endpoints[name].function)[1:]
        for name in sorted(services._endpoints)
        if name.startswith("service_")
    }
    assert parameters == {
        "service_call": ["request", "time_left"],
        "service_call_any": ["requirements", "request", "time_left"],
        "service_cast": ["request"],
        "service_cast_any": ["requirements", "request", "time_left"],
        "service_event": ["request"],
    }
