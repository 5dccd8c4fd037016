"""Contract of a transport: servers come, stop and come again while their clients stay."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.contract.rpc import check_shared
from tests.contract.transport_bus import TransportBus, succeeds, wait_for
from tools.polling import poll

PATIENCE_SECONDS = 2


class RPCServerContract:
    """To be inherited by a class whose name starts with Test."""

    def test_server_that_starts_later_is_found(self, bus: TransportBus) -> None:
        client = bus.client(timeout=PATIENCE_SECONDS, retry=0)
        assert not succeeds(lambda: client.prepare(timeout=0.2).call({}, "who"))
        bus.server("first")
        poll(lambda: succeeds(lambda: client.call({}, "who")), "the first one is found")
        bus.server("second")
        poll(lambda: client.call({}, "who") == "second", "the second one gets its share")
        assert {client.call({}, "who") for _ in range(10)} == {"first", "second"}

    def test_server_that_comes_back_is_found_again(self, bus: TransportBus) -> None:
        client = bus.client(timeout=PATIENCE_SECONDS, retry=0)
        for _ in range(3):
            server = bus.server("same")
            for prepared in (client, client.prepare(server="same")):
                poll(lambda prepared=prepared: succeeds(lambda: prepared.call({}, "who")), "it is found")
            client.cast({}, "take", value="taken")
            wait_for(server.endpoint, 1)
            server.close()

    def test_stopping_finishes_what_is_being_handled(self, bus: TransportBus) -> None:
        server, client = bus.server("stops"), bus.client()
        with ThreadPoolExecutor(3) as pool:
            held = [pool.submit(client.call, {}, "hold", value=number) for number in range(3)]
            wait_for(server.endpoint, 3)
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            stopping.join(0.2)
            assert stopping.is_alive()
            server.endpoint.released.set()
            assert [one.result(20) for one in held] == [0, 1, 2]
            stopping.join(20)
        assert not stopping.is_alive()

    def test_server_that_has_stopped_leaves_the_messages_to_the_others(self, bus: TransportBus) -> None:
        gone, stays, client = bus.server("gone"), bus.server("stays"), bus.client()
        assert {client.call({}, "who") for _ in range(10)} == {"gone", "stays"}
        gone.stop()
        for number in range(20):
            client.cast({}, "take", value=number)
        client.prepare(fanout=True).cast({}, "take", value=20)
        check_shared(client, [stays], list(range(21)))
        assert gone.endpoint.received == []

    def test_server_may_be_stopped_twice(self, bus: TransportBus) -> None:
        server = bus.server()
        server.stop()
        server.close()
        server.close()
