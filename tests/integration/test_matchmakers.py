"""MatchMakers with a real registry: the contract suite, and registries that fail and recover."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cells import exceptions
from tests.integration import servers
from tests.integration.redis_registry import REDIS_URL, OwnRedis, fresh_redis
from tests.unit.brokerless.matchmaker.sql_registry import SQLRegistry
from tests.unit.brokerless.matchmaker.suite import DIRECT, FANOUT, TOPIC, Contract, Registry, hosts
from tools.forwarder import Forwarder
from tools.polling import poll


@contextlib.contextmanager
def fresh_tables(server_url: str) -> Iterator[SQLRegistry]:
    with servers.fresh_database(server_url) as url:
        registry = SQLRegistry(url)
        try:
            yield registry
        finally:
            registry.stop_all()


@contextlib.contextmanager
def fresh_file(_server_url: str) -> Iterator[SQLRegistry]:
    with tempfile.TemporaryDirectory() as directory:
        registry = SQLRegistry(f"sqlite:///{directory}/cells.sqlite")
        try:
            yield registry
        finally:
            registry.stop_all()


REGISTRIES = [
    pytest.param((fresh_tables, servers.POSTGRESQL_URL), id="postgresql", marks=pytest.mark.postgresql),
    pytest.param((fresh_tables, servers.MYSQL_URL), id="mariadb", marks=pytest.mark.mariadb),
    pytest.param((fresh_redis, REDIS_URL), id="redis", marks=pytest.mark.redis),
]
A_FILE = pytest.param((fresh_file, ""), id="sqlite")
Opened = tuple[Callable[[str], contextlib.AbstractContextManager[Registry]], str]


@pytest.fixture(params=REGISTRIES, scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Registry]:
    open_registry, url = request.param
    with open_registry(url) as registry:
        yield registry


@pytest.fixture
def registry(server: Registry) -> Iterator[Registry]:
    server.clear()
    yield server
    server.stop_all()


@pytest.mark.parametrize("server", [A_FILE, *REGISTRIES], indirect=True, scope="module")
class TestContract(Contract):
    """Each registry, and a file, which never fails."""


def behind(forwarder: Forwarder, url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}{at}127.0.0.1:{forwarder.port}").geturl()


@pytest.fixture
def forwarder(registry: Registry) -> Iterator[Forwarder]:
    """Forwarder in front of the registry's server."""
    parts = urllib.parse.urlsplit(registry.connection)
    ports = {"postgresql": 5432, "mysql": 3306, "redis": 6379}
    forwarder = Forwarder(parts.hostname or "127.0.0.1", parts.port or ports[parts.scheme.partition("+")[0]])
    yield forwarder
    forwarder.cut()


def lines(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [message for message in caplog.messages if text in message]


def test_a_registry_that_fails_and_recovers(
    registry: Registry, forwarder: Forwarder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="cells")
    away = behind(forwarder, registry.connection)
    server, client = (registry.make(matchmaker_connection=away) for _ in range(2))
    for maker in (server, client):
        maker.start_heartbeat()
    server.register(TOPIC, "host-1")
    assert hosts(client) == {"host-1"}
    assert client.queues("unserved") == []

    forwarder.cut()
    poll(lambda: len(lines(caplog, "servers is unavailable")) == 2, "both have noticed")
    server.register(TOPIC, "host-2")
    server.register(DIRECT, "host-2")
    server.unregister(TOPIC, "host-1")
    assert hosts(server) == {"host-2"}
    assert hosts(client) == {"host-1"}
    assert hosts(client, FANOUT) == {"host-1"}
    for key in ("unserved", "never-asked"):
        with pytest.raises(exceptions.MatchMakerException) as caught:
            client.queues(key)
        assert "\n" not in str(caught.value)
    assert not client.is_alive("never-asked", "host-1")
    client.expire(TOPIC, "host-1")
    with pytest.raises(exceptions.MatchMakerException):
        client.queues(TOPIC)
    assert registry.entries() == {(TOPIC, "host-1")}

    forwarder.restore()
    poll(lambda: registry.entries() == {(TOPIC, "host-2"), (DIRECT, "host-2")}, "the changes are written")
    # For a second after a failed query the client does not repeat it.
    poll(lambda: client.is_alive(TOPIC, "host-2"), "the client finds the new registration")
    assert hosts(client) == {"host-2"}
    assert client.queues("unserved") == []
    poll(lambda: len(lines(caplog, "servers is available again")) == 2, "both have said so")
    assert len(lines(caplog, "servers is unavailable")) == 2
    assert not lines(caplog, "Traceback")


def test_a_registry_that_is_down_at_start(registry: Registry, forwarder: Forwarder) -> None:
    forwarder.cut()
    server = registry.make(matchmaker_connection=behind(forwarder, registry.connection))
    server.register(TOPIC, "host")
    server.start_heartbeat()
    assert hosts(server) == {"host"}
    forwarder.restore()
    poll(lambda: registry.entries() == {(TOPIC, "host")}, "it is written")


def test_a_stop_while_the_registry_is_down(
    registry: Registry, forwarder: Forwarder, caplog: pytest.LogCaptureFixture
) -> None:
    server = registry.make(matchmaker_connection=behind(forwarder, registry.connection))
    server.start_heartbeat()
    server.register(TOPIC, "host")
    forwarder.cut()
    poll(lambda: lines(caplog, "servers is unavailable"), "it was noticed")
    server.stop_heartbeat()
    assert registry.entries() == {(TOPIC, "host")}


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.mark.redis
def test_a_redis_that_has_lost_everything(own_redis: OwnRedis) -> None:
    with fresh_redis(own_redis.url) as registry:
        server, client = registry.make(), registry.make()
        server.register(TOPIC, "host")
        for maker in (server, client):
            maker.start_heartbeat()
        assert hosts(client) == {"host"}
        own_redis.kill()
        assert hosts(client) == {"host"}
        own_redis.start()
        poll(lambda: registry.entries() == {(TOPIC, "host")}, "the next heartbeat puts it back")
        poll(lambda: hosts(client) == {"host"}, "it is found")


@pytest.mark.redis
def test_a_redis_that_refuses_is_named_without_its_password(
    own_redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    with fresh_redis(own_redis.url) as registry:
        wrong = registry.connection.replace(own_redis.password, "s3kr3t-too")
        maker = registry.make(matchmaker_connection=wrong)
        with pytest.raises(exceptions.MatchMakerException, match=f"127.0.0.1:{own_redis.port}") as caught:
            maker.queues(TOPIC)
        assert "s3kr3t" not in str(caught.value) + caplog.text
        assert "matchmaker_connection" in str(caught.value)


@pytest.mark.redis
def test_cells_with_prefixes_of_their_own_do_not_see_each_other() -> None:
    with fresh_redis(REDIS_URL) as one, fresh_redis(REDIS_URL) as other:
        one.make().register(TOPIC, "host")
        assert other.make().queues(TOPIC) == []
        assert other.entries() == set()


@pytest.mark.redis
def test_unrefreshed_sets_expire() -> None:
    with fresh_redis(REDIS_URL) as registry:
        registry.make(matchmaker_heartbeat_ttl=20).register(TOPIC, "host")
        (name,) = registry.names()
        assert 0 < registry.client.ttl(name) <= 200
