"""Redis for the integration tests: keys with a random prefix, removed after the test; and separate servers.

``CELLS_TEST_REDIS_URL`` names a server; the default is the server of this machine.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.unit.brokerless.matchmaker.suite import Registry
from tools.polling import poll

REDIS_URL = os.environ.get("CELLS_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
STOP_TIMEOUT_SECONDS = 10


class RedisRegistry(Registry):
    def __init__(self, url: str) -> None:
        self._prefix = f"cells-test-{secrets.token_hex(6)}:"
        super().__init__("redis", f"{url}{'&' if '?' in url else '?'}prefix={self._prefix}")
        self.client = redis.Redis.from_url(url, decode_responses=True, socket_connect_timeout=5)

    def names(self) -> list[str]:
        return list(self.client.scan_iter(match=f"{self._prefix}*", count=1000))

    def entries(self) -> set[tuple[str, str]]:
        names = self.names()
        pipeline = self.client.pipeline()
        for name in names:
            pipeline.zrange(name, 0, -1)
        prefix = f"{self._prefix}matchmaker:"
        return {
            (name.removeprefix(prefix), host)
            for name, hosts in zip(names, pipeline.execute(), strict=True)
            for host in hosts
        }

    def age(self, key: str, host: str, seconds: float) -> None:
        self.client.zincrby(f"{self._prefix}matchmaker:{key}", -seconds, host)

    def clear(self) -> None:
        names = self.names()
        if names:
            self.client.delete(*names)


@contextlib.contextmanager
def fresh_redis(url: str) -> Iterator[RedisRegistry]:
    """Prefix on the server; skips the test if the server is down."""
    registry = RedisRegistry(url)
    try:
        registry.client.ping()
    except redis.ConnectionError as error:
        # With CI=true tests/conftest.py turns the skip into a failure.
        pytest.skip(f"no Redis server: {error}")
    try:
        yield registry
    finally:
        registry.stop_all()
        registry.clear()
        registry.client.close()
        registry.client.connection_pool.disconnect()


class OwnRedis:
    """Redis server for one test, with a password and without persistence."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("no program redis-server")
        self._program = program
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.password = f"s3kr3t-{secrets.token_hex(6)}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        settings = {"port": self.port, "bind": "127.0.0.1", "requirepass": self.password, "dir": self._directory}
        arguments = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
        self._process = subprocess.Popen(
            [self._program, *arguments, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        client = redis.Redis.from_url(self.url)

        def answers() -> bool:
            with contextlib.suppress(redis.ConnectionError):
                return bool(client.ping())
            return False

        poll(answers, "the Redis server is up")
        client.close()

    def kill(self) -> None:
        """May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_TIMEOUT_SECONDS)
