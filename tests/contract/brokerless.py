"""Contract of zmq: promises that oslo.messaging over RabbitMQ does not keep.

Over RabbitMQ all exchanges share the queue of a topic, a stopping server may have acknowledged a message that it
never handles, and a call to an unavailable broker waits without a limit.
"""

from __future__ import annotations

import oslo_messaging

from tests.contract.rpc_failures import raises_in_time
from tests.contract.transport_bus import Endpoint, TransportBus, wait_for
from tools.polling import poll


class BrokerlessContract:
    """Base class; the name of a subclass starts with Test."""

    def test_exchanges_are_separate(self, bus: TransportBus) -> None:
        for exchange in ("one", "two"):
            bus.server("same", exchange=exchange, endpoints=[Endpoint(exchange)])
        transport = bus.transport()
        for exchange in ("one", "two"):
            client = bus.client_on(transport, exchange=exchange)
            assert {client.call({}, "server_name") for _ in range(5)} == {exchange}
            assert {client.prepare(server="same").call({}, "server_name") for _ in range(5)} == {exchange}

    def test_fanout_stays_in_its_exchange(self, bus: TransportBus) -> None:
        one, two = (bus.server("same", exchange=exchange) for exchange in ("one", "two"))
        transport = bus.transport()
        for exchange in ("one", "two"):
            bus.client_on(transport, exchange=exchange).prepare(fanout=True).cast({}, "take", value=exchange)
        wait_for(one.endpoint, 1)
        wait_for(two.endpoint, 1)
        assert (one.endpoint.received, two.endpoint.received) == (["one"], ["two"])

    def test_nothing_is_lost_while_servers_start_and_stop(self, bus: TransportBus) -> None:
        servers, client = [bus.server("stays")], bus.client()
        for number in range(0, 50, 10):
            servers.append(bus.server(f"temporary {number}"))
            for value in range(number, number + 10):
                client.cast({}, "take", value=value)
            servers[-1].close()
        received = [server.endpoint.received for server in servers]
        poll(lambda: sum(map(len, received)) >= 50, "all arrive")
        assert sorted(value for one in received for value in one) == list(range(50))

    def test_accepted_messages_are_handled_before_a_server_stops(self, bus: TransportBus) -> None:
        server, client = bus.server(pool_size=1), bus.client()
        for number in range(30):
            client.cast({}, "take", value=number)
        server.stop()
        assert server.endpoint.received == list(range(30))

    def test_call_to_an_unreachable_transport_is_an_error_in_time(self, bus: TransportBus) -> None:
        client = bus.client_on(bus.transport(bus.place.unreachable_url))
        with raises_in_time(oslo_messaging.MessageDeliveryFailure):
            client.prepare(retry=0).call({}, "take", value=1)
        with raises_in_time((oslo_messaging.MessagingTimeout, oslo_messaging.MessageDeliveryFailure)):
            client.prepare(timeout=0.3).call({}, "take", value=1)

    def test_cast_without_a_server_is_an_error_even_if_delivery_is_not_mandatory(self, bus: TransportBus) -> None:
        with raises_in_time(oslo_messaging.MessageDeliveryFailure):
            bus.client(retry=0).cast({}, "take", value=1)
        bus.server("here")
        with raises_in_time(oslo_messaging.MessageDeliveryFailure):
            bus.client(retry=0).prepare(server="elsewhere").cast({}, "take", value=1)
