"""Contract of a transport: servers start, stop and restart while their clients stay."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.contract.rpc import check_shared
from tests.contract.transport_bus import TransportBus, succeeds, wait_for
from tools.polling import poll

TIMEOUT_SECONDS = 2


class RPCServerContract:
    """Base class; the name of a subclass starts with Test."""

    def test_server_that_starts_later_is_found(self, bus: TransportBus) -> None:
        client = bus.client(timeout=TIMEOUT_SECONDS, retry=0)
        assert not succeeds(lambda: client.prepare(timeout=0.2).call({}, "server_name"))
        bus.server("first")
        poll(lambda: succeeds(lambda: client.call({}, "server_name")), "the first server is found")
        bus.server("second")
        poll(lambda: client.call({}, "server_name") == "second", "the second server gets calls")
        assert {client.call({}, "server_name") for _ in range(10)} == {"first", "second"}

    def test_restarted_server_is_found_again(self, bus: TransportBus) -> None:
        client = bus.client(timeout=TIMEOUT_SECONDS, retry=0)
        for _ in range(3):
            server = bus.server("same")
            for prepared in (client, client.prepare(server="same")):
                poll(
                    lambda prepared=prepared: succeeds(lambda: prepared.call({}, "server_name")), "the server is found"
                )
            client.cast({}, "take", value="taken")
            wait_for(server.endpoint, 1)
            server.close()

    def test_stop_waits_for_methods_in_progress(self, bus: TransportBus) -> None:
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

    def test_messages_go_to_the_remaining_servers_after_one_stops(self, bus: TransportBus) -> None:
        gone, stays, client = bus.server("gone"), bus.server("stays"), bus.client()
        assert {client.call({}, "server_name") for _ in range(10)} == {"gone", "stays"}
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
