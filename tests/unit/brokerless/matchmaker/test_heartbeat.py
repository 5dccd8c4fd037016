from __future__ import annotations

import concurrent.futures
import logging
import threading
from collections.abc import Iterator

import pytest

from cells import exceptions
from tests.unit.brokerless.matchmaker.memory import OUTAGE, MemoryRegistry
from tests.unit.brokerless.matchmaker.suite import DIRECT, FANOUT, TOPIC, hosts
from tools.polling import poll


@pytest.fixture
def registry() -> Iterator[MemoryRegistry]:
    registry = MemoryRegistry()
    yield registry
    registry.problem = None
    if registry.gate is not None:
        registry.gate.set()
    registry.stop_all()


@pytest.mark.parametrize(("freq", "ttl"), [(5, 5), (20, 15)])
def test_ttl_must_exceed_the_heartbeat_interval(registry: MemoryRegistry, freq: int, ttl: int) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="matchmaker_heartbeat_ttl"):
        registry.make(matchmaker_heartbeat_freq=freq, matchmaker_heartbeat_ttl=ttl)


def test_constructor_does_no_io(registry: MemoryRegistry) -> None:
    registry.make()
    assert registry.uses == []


def test_fanout_key_is_resolved_by_one_rule_only(registry: MemoryRegistry) -> None:
    maker = registry.make()
    maker.register(DIRECT, "host")
    maker.register(f"fanout~{DIRECT}", "other")
    assert maker.queues(f"fanout~{DIRECT}") == [(DIRECT, "host")]
    assert maker.queues(f"fanout.{DIRECT}") == [(DIRECT, "host")]


def test_answers_come_from_memory(registry: MemoryRegistry) -> None:
    maker = registry.make(matchmaker_heartbeat_freq=3600, matchmaker_heartbeat_ttl=7200)
    registry.heartbeats[TOPIC, "host"] = 1.0
    registry.age(TOPIC, "host", -1e12)
    maker.start_heartbeat()
    assert hosts(maker) == {"host"}
    before = len(registry.uses)
    for _ in range(10):
        assert hosts(maker) == hosts(maker, FANOUT) == {"host"}
        assert maker.is_alive(TOPIC, "host")
        maker.ack_alive(TOPIC, "host")
    assert len(registry.uses) == before


def test_without_the_thread_old_answers_are_refreshed(registry: MemoryRegistry) -> None:
    server, client = registry.make(), registry.make()
    server.register(TOPIC, "host")
    assert hosts(client) == {"host"}
    server.register(TOPIC, "other")
    poll(lambda: hosts(client) == {"host", "other"}, "the old answer is refreshed")


def test_concurrent_callers_share_one_query(registry: MemoryRegistry) -> None:
    server, client = registry.make(), registry.make()
    server.register(TOPIC, "host")
    registry.uses.clear()
    registry.gate = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(hosts, client) for _ in range(8)]
        poll(lambda: registry.uses, "the registry is queried")
        registry.gate.set()
        assert all(future.result() == {"host"} for future in futures)
    # A thread that starts after the first answer makes a query of its own.
    assert registry.uses.count("hosts") < 8


def test_outage_does_not_cause_a_query_for_each_message(registry: MemoryRegistry) -> None:
    client = registry.make()
    registry.problem = OUTAGE
    for _ in range(100):
        with pytest.raises(exceptions.MatchMakerException, match=str(OUTAGE)):
            client.queues(TOPIC)
    assert len(registry.uses) < 50


def test_unknown_error_of_the_back_end_is_an_outage(registry: MemoryRegistry, caplog: pytest.LogCaptureFixture) -> None:
    maker = registry.make()
    registry.problem = ValueError("s3kr3t")
    maker.start_heartbeat()
    maker.register(TOPIC, "host")
    assert hosts(maker) == {"host"}
    with pytest.raises(exceptions.MatchMakerException, match="unexpected ValueError"):
        maker.queues("other")
    assert "s3kr3t" not in caplog.text
    registry.problem = None
    poll(lambda: registry.entries() == {(TOPIC, "host")}, "the thread goes on")


def test_servers_get_no_errors_of_the_registry(registry: MemoryRegistry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    maker = registry.make()
    registry.problem = OUTAGE
    maker.register(TOPIC, "host")
    maker.register(DIRECT, "host")
    maker.unregister(DIRECT, "host")
    maker.send_heartbeats()
    maker.expire(TOPIC, "host")
    maker.stop_heartbeat()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_registry_that_is_read_only(registry: MemoryRegistry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server, client = registry.make(), registry.make()
    server.register(TOPIC, "host")

    def refuse(key: str, host: str) -> None:
        raise OUTAGE

    client.backend_register = refuse  # type: ignore[method-assign]
    client.register("mine", "client")
    client.start_heartbeat()
    assert hosts(client) == {"host"}
    server.register(TOPIC, "other")
    poll(lambda: hosts(client) == {"host", "other"}, "the registry is still read")
    assert hosts(client, "mine") == {"client"}
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_expire_does_not_block(registry: MemoryRegistry) -> None:
    server, client = registry.make(), registry.make()
    server.register(TOPIC, "host")
    client.start_heartbeat()
    assert hosts(client) == {"host"}
    registry.gate = threading.Event()
    client.expire(TOPIC, "host")
    assert not client.is_alive(TOPIC, "host")
    registry.gate.set()


def test_own_host_that_was_found_dead_returns_with_its_next_heartbeat(registry: MemoryRegistry) -> None:
    maker = registry.make()
    maker.register(TOPIC, "host")
    maker.expire(TOPIC, "host")
    assert hosts(maker) == set()
    maker.send_heartbeats()
    assert hosts(maker) == {"host"}


def test_registering_again_is_a_sign_of_life(registry: MemoryRegistry) -> None:
    maker = registry.make()
    maker.register(TOPIC, "host")
    maker.expire(TOPIC, "host")
    maker.register(TOPIC, "host")
    assert hosts(maker) == {"host"}


def test_registration_withdrawn_during_an_outage_is_not_restored(registry: MemoryRegistry) -> None:
    maker = registry.make()
    maker.register(TOPIC, "host")
    maker.register(DIRECT, "host")
    registry.problem = OUTAGE
    maker.unregister(TOPIC, "host")
    assert hosts(maker, DIRECT) == {"host"}
    registry.problem = None
    maker.start_heartbeat()
    poll(lambda: registry.entries() == {(DIRECT, "host")}, "the thread withdraws it")
