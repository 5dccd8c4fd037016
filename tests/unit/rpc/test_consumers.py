from __future__ import annotations

import socket
from typing import Any, NamedTuple

import oslo_messaging
import pytest

from cells.rpc.consumers import ProxyDispatcher, consumer
from cells.rpc.context import CommonRpcContext, current_context
from cells.services import fanout
from cells.transport import open_transport
from tests.cases import each
from tests.unit.rpc.own_cell import configured


class Incoming(NamedTuple):
    message: dict[str, Any]
    ctxt: dict[str, Any]
    client_timeout: None = None


class Proxy:
    def __init__(self) -> None:
        self.current: CommonRpcContext | None = None

    def add(self, context: CommonRpcContext, one: int, other: int = 1) -> int:
        self.current = current_context()
        assert self.current is context
        context.values["seen"] = True
        return one + other

    def _hidden(self, context: CommonRpcContext) -> None:
        raise AssertionError


def dispatch(proxy: object, method: str, **more: Any) -> Any:
    return ProxyDispatcher(proxy).dispatch(Incoming({"method": method, "args": {"one": 1}, **more}, {"user_id": "ada"}))


def test_a_method_is_called_with_its_context() -> None:
    proxy = Proxy()
    assert dispatch(proxy, "add") == 2
    assert proxy.current == CommonRpcContext(user_id="ada", seen=True)
    assert current_context() is None


def test_an_error_also_ends_the_current_context() -> None:
    with pytest.raises(TypeError):
        dispatch(Proxy(), "add", args={"unknown": 1})
    assert current_context() is None


@each("method", ["_hidden", "__init__", "nothing"])
def test_only_public_methods_are_called(method: str) -> None:
    with pytest.raises(oslo_messaging.NoSuchMethod):
        dispatch(Proxy(), method)


def test_a_copy_of_a_fanout_is_dropped() -> None:
    proxy = Proxy()
    assert dispatch(proxy, "add", **{fanout.MARK: True}) is None
    assert proxy.current is None


@pytest.mark.parametrize(("is_fanout", "topic"), [(False, "inventory"), (True, "inventory.fanout-consumers")])
def test_the_topic_of_a_consumer(is_fanout: bool, topic: str) -> None:
    with configured() as conf:
        transport = open_transport(conf)
        try:
            server = consumer(transport, "inventory", Proxy(), is_fanout=is_fanout)
            assert (server._target.topic, server._target.server) == (topic, socket.gethostname())
        finally:
            transport.cleanup()
