from __future__ import annotations

import concurrent.futures
import logging
import threading
from collections.abc import Iterator

import pytest

from cells import exceptions
from tests.unit.brokerless.matchmaker.memory import AWAY, MemoryRegistry
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
def test_a_ttl_that_no_heartbeat_could_keep(registry: MemoryRegistry, freq: int, ttl: int) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="matchmaker_heartbeat_ttl"):
        registry.make(matchmaker_heartbeat_freq=freq, matchmaker_heartbeat_ttl=ttl)


def test_the_constructor_does_no_io(registry: MemoryRegistry) -> None:
    registry.make()
    assert registry.uses == []


def test_one_rule_alone_is_for_a_fanout_key(registry: MemoryRegistry) -> None:
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


def test_without_the_thread_answers_are_looked_up_again_when_they_are_old(registry: MemoryRegistry) -> None:
    server, client = registry.make(), registry.make()
    server.register(TOPIC, "host")
    assert hosts(client) == {"host"}
    server.register(TOPIC, "other")
    poll(lambda: hosts(client) == {"host", "other"}, "the answer is old")


def test_many_who_ask_at_once_are_one_question(registry: MemoryRegistry) -> None:
    server, client = registry.make(), registry.make()
    server.register(TOPIC, "host")
    registry.uses.clear()
    registry.gate = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(hosts, client) for _ in range(8)]
        poll(lambda: registry.uses, "the question")
        registry.gate.set()
        assert all(future.result() == {"host"} for future in futures)
    # A thread that began after the answer to the first has a question of its own.
    assert registry.uses.count("hosts") < 8


def test_a_registry_that_is_away_is_not_asked_by_every_message(registry: MemoryRegistry) -> None:
    client = registry.make()
    registry.problem = AWAY
    for _ in range(100):
        with pytest.raises(exceptions.MatchMakerException, match=r"away: The database cannot be used: no route\.$"):
            client.queues(TOPIC)
    assert len(registry.uses) < 50


def test_an_error_of_an_unknown_kind_is_an_outage_too(
    registry: MemoryRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    maker = registry.make()
    registry.problem = ValueError("s3kr3t")
    maker.start_heartbeat()
    maker.register(TOPIC, "host")
    assert hosts(maker) == {"host"}
    with pytest.raises(exceptions.MatchMakerException, match="unexpected ValueError"):
        maker.queues("other")
    assert "s3kr3t" not in caplog.text
    registry.problem = None
    poll(lambda: registry.entries() == {(TOPIC, "host")}, "the thread lives on")


def test_nothing_that_fails_is_raised_to_who_registers(
    registry: MemoryRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    maker = registry.make()
    registry.problem = AWAY
    maker.register(TOPIC, "host")
    maker.register(DIRECT, "host")
    maker.unregister(DIRECT, "host")
    maker.send_heartbeats()
    maker.expire(TOPIC, "host")
    maker.stop_heartbeat()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_registry_that_can_only_be_read(registry: MemoryRegistry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server, client = registry.make(), registry.make()
    server.register(TOPIC, "host")

    def refuse(key: str, host: str) -> None:
        raise AWAY

    client.backend_register = refuse  # type: ignore[method-assign]
    client.register("mine", "client")
    client.start_heartbeat()
    assert hosts(client) == {"host"}
    server.register(TOPIC, "other")
    poll(lambda: hosts(client) == {"host", "other"}, "it is read all the same")
    assert hosts(client, "mine") == {"client"}
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_caller_of_expire_waits_for_nothing(registry: MemoryRegistry) -> None:
    server, client = registry.make(), registry.make()
    server.register(TOPIC, "host")
    client.start_heartbeat()
    assert hosts(client) == {"host"}
    registry.gate = threading.Event()
    client.expire(TOPIC, "host")
    assert not client.is_alive(TOPIC, "host")
    registry.gate.set()


def test_own_hosts_that_were_found_dead_are_back_with_the_next_heartbeat(registry: MemoryRegistry) -> None:
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


def test_what_was_taken_back_while_the_registry_was_away_is_not_registered_later(registry: MemoryRegistry) -> None:
    maker = registry.make()
    maker.register(TOPIC, "host")
    maker.register(DIRECT, "host")
    registry.problem = AWAY
    maker.unregister(TOPIC, "host")
    assert hosts(maker, DIRECT) == {"host"}
    registry.problem = None
    maker.start_heartbeat()
    poll(lambda: registry.entries() == {(DIRECT, "host")}, "the thread takes it out")
