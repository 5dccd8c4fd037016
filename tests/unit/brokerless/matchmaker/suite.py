"""Tests of every MatchMaker with a registry: unit tests run them on SQLite, integration tests on real servers.

A module that runs them imports :class:`Contract` and defines a fixture ``registry``.
"""

from __future__ import annotations

import abc
import concurrent.futures
import logging
from typing import Any

import pytest
from oslo_config import cfg

from cells.brokerless.matchmaker import HeartbeatMatchMakerBase, registry
from cells.conf import zmq
from tools.polling import poll

TOPIC = "rpc~compute"
DIRECT = "rpc~compute.east%2E1"
FANOUT = "fanout~rpc~compute"


def configuration(**options: Any) -> cfg.ConfigOpts:
    """The configuration of a foreign service, with only the driver's options; heartbeats may be faster than 1 s."""
    conf = cfg.ConfigOpts()
    conf.register_opts(
        [
            cfg.FloatOpt(o.name, default=o.default) if o.name.startswith("matchmaker_heartbeat") else o
            for o in zmq.OPTIONS
        ],
        group=zmq.GROUP,
    )
    conf([], default_config_files=[], default_config_dirs=[])
    for name, value in {"matchmaker_heartbeat_freq": 0.1, "matchmaker_heartbeat_ttl": 60, **options}.items():
        conf.set_override(name, value, group=zmq.GROUP)
    return conf


class Registry(abc.ABC):
    """The registry of a test, with direct access to its entries."""

    def __init__(self, name: str, connection: str) -> None:
        self.name = name
        self.connection = connection
        self.made: list[HeartbeatMatchMakerBase] = []

    def make(self, **options: Any) -> HeartbeatMatchMakerBase:
        """Return a MatchMaker as another process would create it; it is stopped after the test."""
        conf = configuration(matchmaker=self.name, **{"matchmaker_connection": self.connection, **options})
        maker = registry.load(conf)
        assert isinstance(maker, HeartbeatMatchMakerBase)
        self.made.append(maker)
        return maker

    def stop_all(self) -> None:
        for maker in self.made:
            maker.stop_heartbeat()

    @abc.abstractmethod
    def entries(self) -> set[tuple[str, str]]:
        """Return all (key, host)."""

    @abc.abstractmethod
    def age(self, key: str, host: str, seconds: float) -> None:
        """Move the last heartbeat of a registration into the past."""

    @abc.abstractmethod
    def clear(self) -> None:
        """Remove all registrations."""


def hosts(maker: HeartbeatMatchMakerBase, key: str = TOPIC) -> set[str | None]:
    return {host for _, host in maker.queues(key)}


class Contract:
    def test_processes_see_each_others_registrations(self, registry: Registry) -> None:
        one, other, client = registry.make(), registry.make(), registry.make()
        for key in (TOPIC, DIRECT):
            one.register(key, "host-1")
        other.register(TOPIC, "host-2")
        for maker in (one, other, client):
            assert hosts(maker) == {"host-1", "host-2"}
            assert maker.queues(DIRECT) == [(DIRECT, "host-1")]
            assert set(maker.queues(FANOUT)) == {(TOPIC, "host-1"), (TOPIC, "host-2")}
            assert maker.is_alive(TOPIC, "host-1")
            assert not maker.is_alive(TOPIC, "host-3")

    def test_server_that_registers_after_the_first_query_is_found(self, registry: Registry) -> None:
        server, client = registry.make(), registry.make()
        client.start_heartbeat()
        assert client.queues(TOPIC) == []
        server.register(TOPIC, "host")
        assert hosts(client) == {"host"}

    def test_thread_finds_servers_that_register_later(self, registry: Registry) -> None:
        one, other, client = registry.make(), registry.make(), registry.make()
        one.register(TOPIC, "host-1")
        client.start_heartbeat()
        assert hosts(client) == {"host-1"}
        other.register(TOPIC, "host-2")
        poll(lambda: hosts(client) == {"host-1", "host-2"}, "the thread finds the other server")

    def test_without_heartbeats_a_host_is_dead_after_its_ttl(self, registry: Registry) -> None:
        server, client = registry.make(), registry.make()
        server.register(TOPIC, "host")
        registry.age(TOPIC, "host", 61)
        assert hosts(client) == set()
        assert not client.is_alive(TOPIC, "host")
        server.send_heartbeats()
        assert hosts(client) == {"host"}
        assert client.is_alive(TOPIC, "host")

    def test_heartbeats_keep_a_host_alive_beyond_its_ttl(self, registry: Registry) -> None:
        server, client = (registry.make(matchmaker_heartbeat_ttl=1) for _ in range(2))
        for maker in (server, client):
            maker.start_heartbeat()
        server.register(TOPIC, "host")
        registry.age(TOPIC, "host", 2)
        poll(lambda: hosts(client) == {"host"}, "the next heartbeat is found")
        server._loop.stop(5)  # simulates a suspended process
        poll(lambda: hosts(client) == set(), "the ttl has passed")

    def test_overdue_host_that_accepts_messages_is_alive(self, registry: Registry) -> None:
        server, client, other = registry.make(), registry.make(), registry.make()
        server.register(TOPIC, "host")
        registry.age(TOPIC, "host", 61)
        assert hosts(client) == set()
        client.ack_alive(TOPIC, "host")
        assert client.is_alive(TOPIC, "host")
        assert hosts(client) == {"host"}
        assert hosts(other) == set()
        client.start_heartbeat()
        poll(lambda: hosts(other) == {"host"}, "the other processes see it")

    def test_sign_of_life_does_not_restore_a_withdrawn_registration(self, registry: Registry) -> None:
        server, client = registry.make(), registry.make()
        server.register(TOPIC, "host")
        registry.age(TOPIC, "host", 61)
        assert hosts(client) == set()
        client.ack_alive(TOPIC, "host")
        server.unregister(TOPIC, "host")
        client.backend_touch([(TOPIC, "host")])
        assert registry.entries() == set()

    def test_dead_host_is_left_out_at_once_and_removed_from_the_registry(self, registry: Registry) -> None:
        server, client, other = registry.make(), registry.make(), registry.make()
        for host in ("host-1", "host-2"):
            server.register(TOPIC, host)
        server.register(DIRECT, "host-1")
        for key in (TOPIC, DIRECT):
            registry.age(key, "host-1", 30)
        assert hosts(client) == {"host-1", "host-2"}
        assert hosts(client, DIRECT) == {"host-1"}
        client.expire(TOPIC, "host-1")
        assert hosts(client) == {"host-2"}
        assert hosts(client, DIRECT) == set()
        assert not client.is_alive(TOPIC, "host-1")
        client.start_heartbeat()
        poll(lambda: registry.entries() == {(TOPIC, "host-2")}, "its registrations are removed")
        assert hosts(other) == {"host-2"}
        server.send_heartbeats()
        poll(lambda: hosts(client) == {"host-1", "host-2"}, "its next sign of life is found")

    def test_live_host_is_not_removed_by_a_process_that_cannot_reach_it(self, registry: Registry) -> None:
        server, other = registry.make(), registry.make()
        client = registry.make(matchmaker_heartbeat_freq=20)
        for host in ("host", "gone"):
            server.register(TOPIC, host)
        registry.age(TOPIC, "gone", 40)
        assert hosts(client) == {"host", "gone"}
        for host in ("host", "gone"):
            client.expire(TOPIC, host)
        assert hosts(client) == set()
        client._report_others()
        assert hosts(other) == {"host"}

    def test_restarted_host_is_not_removed(self, registry: Registry) -> None:
        server, client = registry.make(), registry.make()
        for host in ("host", "gone"):
            server.register(TOPIC, host)
        assert hosts(client) == {"host", "gone"}
        client.expire(TOPIC, "host")
        client.expire(TOPIC, "gone")
        registry.age(TOPIC, "gone", 30)
        server.backend_heartbeat([(TOPIC, "host")])
        client.start_heartbeat()
        poll(lambda: (TOPIC, "gone") not in registry.entries(), "the dead host is removed")
        assert registry.entries() == {(TOPIC, "host")}

        def is_found() -> bool:
            server.backend_heartbeat([(TOPIC, "host")])
            return hosts(client) == {"host"}

        poll(is_found, "the restarted host is found")

    def test_register_and_unregister_may_be_repeated(self, registry: Registry) -> None:
        server, client = registry.make(), registry.make()
        for _ in range(2):
            for _ in range(2):
                server.register(TOPIC, "host")
                server.register(DIRECT, "host")
            assert registry.entries() == {(TOPIC, "host"), (DIRECT, "host")}
            for _ in range(2):
                server.unregister(TOPIC, "host")
            assert registry.entries() == {(DIRECT, "host")}
            assert hosts(server) == hosts(client) == set()

    def test_stop_withdraws_all_registrations(self, registry: Registry) -> None:
        server = registry.make()
        server.start_heartbeat()
        server.start_heartbeat()
        for number in range(5):
            server.register(f"topic-{number}", "host")
        server.stop_heartbeat()
        assert registry.entries() == set()
        server.stop_heartbeat()
        server.send_heartbeats()
        assert registry.entries() == set()
        server.start_heartbeat()
        server.register(TOPIC, "host")
        assert registry.entries() == {(TOPIC, "host")}

    def test_heartbeat_restores_purged_registrations(self, registry: Registry) -> None:
        server = registry.make()
        server.register(TOPIC, "host")
        server.register(DIRECT, "host")
        server.start_heartbeat()
        registry.clear()
        poll(lambda: registry.entries() == {(TOPIC, "host"), (DIRECT, "host")}, "the next heartbeat is written")

    def test_long_dead_registrations_are_purged_by_any_process(self, registry: Registry) -> None:
        dead, living = registry.make(), registry.make()
        for host in ("host-1", "host-2", "host-3"):
            dead.register(TOPIC, host)
        registry.age(TOPIC, "host-1", 700)
        registry.age(TOPIC, "host-2", 500)
        living.start_heartbeat()
        living.register(TOPIC, "host-4")
        poll(lambda: (TOPIC, "host-1") not in registry.entries(), "the long dead host is purged")
        assert registry.entries() == {(TOPIC, "host-2"), (TOPIC, "host-3"), (TOPIC, "host-4")}

    def test_more_registrations_than_fit_into_one_statement(self, registry: Registry) -> None:
        server, client = registry.make(), registry.make()
        entries = [(f"topic-{number}", "host") for number in range(1201)]
        for _ in range(2):
            server.backend_heartbeat(entries)
            assert registry.entries() == set(entries)
        found = client.backend_hosts([key for key, _ in entries])
        assert all(list(found[key]) == ["host"] for key, _ in entries)
        client.backend_withdraw(entries[1:])
        assert registry.entries() == {entries[0]}

    @pytest.mark.parametrize(
        "key",
        [
            pytest.param("x" * 3000, id="long"),
            pytest.param("größe~東😀", id="unicode"),
            pytest.param("100%~a'b\"c\\d:e*f?[g]{h}", id="punctuation"),
            pytest.param(" ", id="space"),
        ],
    )
    def test_any_text_may_be_a_key_and_a_host(self, registry: Registry, key: str) -> None:
        server, client = registry.make(), registry.make()
        server.register(key, key)
        assert client.queues(key) == [(key, key)]
        assert client.queues(key.upper() + "!") == []

    def test_keys_may_differ_only_by_case_or_a_space(self, registry: Registry) -> None:
        server, client = registry.make(), registry.make()
        for key in ("topic", "Topic", "topic "):
            server.register(key, f"host of {key!r}")
            server.register(key, f"HOST of {key!r}")
        for key in ("topic", "Topic", "topic "):
            assert hosts(client, key) == {f"host of {key!r}", f"HOST of {key!r}"}

    def test_concurrent_use(self, registry: Registry, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        makers = [registry.make() for _ in range(6)]

        def work(number: int) -> None:
            maker, host = makers[number], f"host-{number}"
            for topic in range(4):
                maker.register(f"topic-{topic}", host)
                maker.register("topic", "shared")
                maker.send_heartbeats()
                assert host in hosts(maker, f"topic-{topic}")
            for topic in range(2):
                maker.unregister(f"topic-{topic}", host)

        with concurrent.futures.ThreadPoolExecutor(len(makers)) as pool:
            list(pool.map(work, range(len(makers))))
        all_hosts = {f"host-{number}" for number in range(len(makers))}
        assert registry.entries() == {
            ("topic", "shared"),
            *((key, host) for key in ("topic-2", "topic-3") for host in all_hosts),
        }
        assert caplog.messages == []
