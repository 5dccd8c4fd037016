from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import oslo_messaging
import pytest

from cells import exceptions
from cells.rpc import client
from cells.rpc.connection import Connection
from cells.rpc.exceptions import InvalidRPCConnectionReuse
from cells.transport import open_transport
from tests.cases import each
from tests.unit.rpc.own_cell import configured


class Proxy:
    def where(self, context: Any) -> str:
        return threading.current_thread().name


@pytest.fixture
def transport() -> Iterator[Any]:
    with configured() as conf:
        transport = open_transport(conf)
        yield transport
        transport.cleanup()


def call(transport: Any) -> Any:
    return client.get_rpc_client(transport, oslo_messaging.Target(topic="inventory"), timeout=5).call({}, "where")


def test_consumers_start_on_request_and_later_consumers_at_once(transport: Any) -> None:
    closed: list[Connection] = []
    with Connection(transport, closed.append) as connection:
        connection.create_consumer("never", Proxy())
        connection.consume_in_thread()
        connection.consume_in_thread()
        connection.create_consumer("inventory", Proxy())
        assert call(transport) != threading.current_thread().name
        assert closed == []
    assert closed == [connection]
    connection.close()
    assert closed == [connection]


def test_close_before_consuming(transport: Any) -> None:
    connection = Connection(transport)
    connection.create_consumer("inventory", Proxy())
    connection.create_worker("inventory", Proxy(), "pool")
    connection.close(0)
    with pytest.raises(InvalidRPCConnectionReuse):
        connection.consume_in_thread()


def test_connections_of_one_transport_close_separately(transport: Any) -> None:
    connections = [Connection(transport), Connection(transport)]
    for connection in connections:
        connection.create_consumer("inventory", Proxy())
        connection.consume_in_thread()
    connections[0].close()
    assert call(transport)
    connections[1].close()


@each(
    "create",
    [
        lambda connection: connection.create_consumer("", Proxy()),
        lambda connection: connection.create_consumer(None, Proxy(), fanout=True),
        lambda connection: connection.create_worker("inventory", Proxy(), ""),
        lambda connection: connection.create_worker("two\nlines", Proxy(), "pool"),
        lambda connection: connection.create_worker("inventory", Proxy(), "x" * 250),
        lambda connection: connection.join_consumer_pool("no function", "pool", "inventory"),
        lambda connection: connection.join_consumer_pool(print, "pool", "inventory", ""),
    ],
)
def test_names_are_checked_at_once(transport: Any, create: Any) -> None:
    with Connection(transport) as connection, pytest.raises(exceptions.InvalidArguments):
        create(connection)


def test_an_invalid_target_of_a_proxy_is_refused(transport: Any) -> None:
    class Wrong:
        target = "1.0"

    with Connection(transport) as connection, pytest.raises(TypeError, match="Target"):
        connection.create_consumer("inventory", Wrong())
