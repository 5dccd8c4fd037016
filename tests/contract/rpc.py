"""Contract of a transport: calls and casts reach their servers once, with all of their data."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.transport_bus import Endpoint, Serving, TransportBus, wait_for
from tools.polling import poll

THREADS = 16
CALLS_PER_THREAD = 20
NESTED = {"a": [1, -2.5, None, True, {"b": {}, "c": []}], "": {"d": "e"}, "2": [[[]]]}


class RPCContract:
    """Base class; the name of a subclass starts with Test."""

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("value", id="text"),
            pytest.param(None, id="none"),
            pytest.param(False, id="false"),
            pytest.param(NESTED, id="nested"),
            pytest.param("Größe \u2028 \U0001f600 \\ \" ' \x00 \x7f {}", id="unicode"),
            pytest.param("xü" * 500_000, id="1-MB"),
        ],
    )
    def test_value_survives_the_round_trip(self, bus: TransportBus, value: Any) -> None:
        bus.server()
        assert bus.client().call({}, "echo", value=value) == value

    def test_context_arrives(self, bus: TransportBus) -> None:
        bus.server()
        context = {"user_id": "reader", "is_admin": False, "roles": ["reader"], "more": {"a": None}}
        arrived = bus.client().call(context, "context")
        # A transport may add keys of its own.
        assert {key: arrived[key] for key in context} == context

    def test_cast_arrives(self, bus: TransportBus) -> None:
        server = bus.server()
        assert bus.client().cast({}, "take", value=NESTED) is None
        wait_for(server.endpoint, 1)
        assert server.endpoint.received == [NESTED]

    def test_casts_of_a_client_arrive_in_order(self, bus: TransportBus) -> None:
        # Several threads would handle them in any order, independent of the transport.
        server, client = bus.server(pool_size=1), bus.client()
        for number in range(100):
            client.cast({}, "take", value=number)
        wait_for(server.endpoint, 100)
        assert server.endpoint.received == list(range(100))

    def test_servers_share_the_load_and_each_message_is_handled_once(self, bus: TransportBus) -> None:
        servers, client = [bus.server(name) for name in "abc"], bus.client()
        for number in range(60):
            client.cast({}, "take", value=number)
        answers = {client.call({}, "server_name") for _ in range(12)}
        check_shared(client, servers, list(range(60)))
        assert answers == {"a", "b", "c"}

    def test_fanout_reaches_every_server_once(self, bus: TransportBus) -> None:
        servers, client = [bus.server(name) for name in "abc"], bus.client()
        all_servers = client.prepare(fanout=True)
        for number in range(5):
            all_servers.cast({}, "take", value=number)
        for server in servers:
            wait_for(server.endpoint, 5)
        check_for_duplicates(client, servers)
        assert [sorted(server.endpoint.received) for server in servers] == [list(range(5))] * 3

    def test_message_for_one_server_reaches_no_other(self, bus: TransportBus) -> None:
        servers, client = [bus.server(name) for name in "abc"], bus.client()
        directed = client.prepare(server="b")
        for number in range(10):
            directed.cast({}, "take", value=number)
        assert {directed.call({}, "server_name") for _ in range(6)} == {"b"}
        check_shared(client, [servers[1]], list(range(10)))
        check_for_duplicates(client, servers)
        assert servers[0].endpoint.received == servers[2].endpoint.received == []

    def test_topics_are_separate(self, bus: TransportBus) -> None:
        bus.server("same", topic="one", endpoints=[Endpoint("one")])
        bus.server("same", topic="one.two", endpoints=[Endpoint("one.two")])
        transport = bus.transport()
        for topic in ("one", "one.two"):
            client = bus.client_on(transport, topic=topic)
            assert {client.call({}, "server_name") for _ in range(5)} == {topic}
            assert {client.prepare(server="same").call({}, "server_name") for _ in range(5)} == {topic}

    def test_threads_get_their_own_answers(self, bus: TransportBus) -> None:
        bus.server(pool_size=8)
        client = bus.client()

        def call(thread: int) -> list[str]:
            return [client.call({}, "echo", value=f"{thread}/{number}") for number in range(CALLS_PER_THREAD)]

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(call, range(THREADS)))
        assert answers == [[f"{thread}/{number}" for number in range(CALLS_PER_THREAD)] for thread in range(THREADS)]

    def test_calls_are_answered_while_a_method_is_busy(self, bus: TransportBus) -> None:
        server, client = bus.server(), bus.client()
        with ThreadPoolExecutor(4) as pool:
            held = [pool.submit(client.call, {}, "hold", value=number) for number in range(4)]
            wait_for(server.endpoint, 4)
            assert [client.call({}, "echo", value=number) for number in range(10)] == list(range(10))
            server.endpoint.released.set()
            assert [one.result(20) for one in held] == [0, 1, 2, 3]

    def test_method_may_call_another_server(self, bus: TransportBus) -> None:
        inner = bus.client(topic="inner")

        class Outer:
            def ask(self, ctxt: dict[str, Any], value: Any) -> Any:
                return ["outer", inner.call(ctxt, "ask", value=value)]

        class Inner:
            def ask(self, ctxt: dict[str, Any], value: Any) -> Any:
                return ["inner", value]

        bus.server("inner", topic="inner", endpoints=[Inner()])
        bus.server("outer", endpoints=[Outer()])
        client = bus.client()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda number: client.call({}, "ask", value=number), range(20)))
        assert answers == [["outer", ["inner", number]] for number in range(20)]


def check_shared(client: Any, servers: Sequence[Serving], values: list[int]) -> None:
    """Check that each value arrived at one server, and that each server got some."""
    received = [server.endpoint.received for server in servers]
    poll(lambda: sum(map(len, received)) >= len(values), "all arrive")
    check_for_duplicates(client, servers)
    assert sorted(value for one in received for value in one) == values
    assert all(received)


def check_for_duplicates(client: Any, servers: Sequence[Serving]) -> None:
    """Give duplicates time to arrive: each server answers another call."""
    for server in servers:
        name = server.endpoint.name
        assert client.prepare(server=name).call({}, "server_name") == name
