"""MatchMakerRedis: servers register in Redis, for a cell whose database is far from its hosts.

``<prefix>matchmaker:<key>`` is a sorted set of the hosts that serve ``key``, each with the
time of its last heartbeat by the clock of the Redis server; the clocks of the hosts do not
matter.  A set expires when all of its hosts have been dead for long.
"""

from __future__ import annotations

import contextlib
import importlib
import urllib.parse
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from cells import exceptions
from cells.brokerless.matchmaker.heartbeat import PURGE_AFTER_TTLS, Entry, HeartbeatMatchMakerBase

OPTION = "[oslo_messaging_zmq] matchmaker_connection"
DEFAULT_PREFIX = "cells:"
CONNECT_TIMEOUT_SECONDS = 3
COMMAND_TIMEOUT_SECONDS = 3
#: Removes ARGV[1] from the sorted set KEYS[1] unless its score is younger than ARGV[2] seconds by the server's clock.
_EXPIRE = """
local time = redis.call('TIME')
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) <= time[1] + time[2] / 1000000 - ARGV[2] then
    redis.call('ZREM', KEYS[1], ARGV[1])
end
"""


class MatchMakerRedis(HeartbeatMatchMakerBase):
    """The registry is the Redis database that ``matchmaker_connection`` names.

    ``redis://:password@host:6379/0``, ``rediss://`` for TLS, ``unix://`` for a socket; the
    query of the URL passes options to the redis library, and ``prefix`` for this cell's keys (default
    ``cells:``): cells that share a Redis database need different prefixes.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises cells.exceptions.ConfigurationError: the URL is missing or wrong, or the library is missing"""
        super().__init__(conf)
        self._library = _load_library()
        url, prefix = _read_url(conf.oslo_messaging_zmq.matchmaker_connection)
        self._prefix = f"{prefix}matchmaker:"
        self._shown = _without_secrets(url)
        retry = importlib.import_module("redis.retry")
        backoff = importlib.import_module("redis.backoff")
        try:
            self._client = self._library.Redis.from_url(
                url,
                decode_responses=True,
                encoding_errors="surrogateescape",
                socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
                socket_timeout=COMMAND_TIMEOUT_SECONDS,
                # One retry, for a connection that the server has closed: the heartbeat thread retries anyway.
                retry=retry.Retry(backoff.NoBackoff(), 1),
            )
        except (ValueError, TypeError):
            # Texts of these errors may quote the URL.
            raise _wrong_url() from None

    def backend_register(self, key: str, host: str) -> None:
        self.backend_heartbeat([(key, host)])

    def backend_unregister(self, key: str, host: str) -> None:
        self.backend_withdraw([(key, host)])

    def backend_hosts(self, keys: Collection[str]) -> Mapping[str, Mapping[str, float]]:
        asked = list(keys)
        with self._translated_errors():
            pipeline = self._client.pipeline(transaction=False)
            pipeline.time()
            for key in asked:
                pipeline.zrange(self._prefix + key, 0, -1, withscores=True)
            time, *found = pipeline.execute()
        now = _seconds(time)
        return {
            key: {host: max(0.0, now - float(heartbeat_at)) for host, heartbeat_at in hosts}
            for key, hosts in zip(asked, found, strict=True)
        }

    def backend_heartbeat(self, entries: Sequence[Entry]) -> None:
        dead_for_seconds = PURGE_AFTER_TTLS * self._ttl_seconds
        with self._pipeline() as pipeline:
            now = _seconds(self._client.time())
            for key, hosts in _by_key(entries).items():
                name = self._prefix + key
                pipeline.zadd(name, dict.fromkeys(hosts, now))
                # Dead entries of other processes; a whole set that is not refreshed expires.
                pipeline.zremrangebyscore(name, "-inf", f"({now - dead_for_seconds:f}")
                pipeline.expire(name, int(dead_for_seconds))

    def backend_withdraw(self, entries: Sequence[Entry]) -> None:
        with self._pipeline() as pipeline:
            for key, hosts in _by_key(entries).items():
                pipeline.zrem(self._prefix + key, *hosts)

    def backend_touch(self, entries: Sequence[Entry]) -> None:
        with self._pipeline() as pipeline:
            now = _seconds(self._client.time())
            for key, hosts in _by_key(entries).items():
                pipeline.zadd(self._prefix + key, dict.fromkeys(hosts, now), xx=True)

    def backend_expire(self, entries: Sequence[Entry], not_since_seconds: float) -> None:
        with self._pipeline() as pipeline:
            for key, host in entries:
                pipeline.eval(_EXPIRE, 1, self._prefix + key, host, not_since_seconds)

    def backend_close(self) -> None:
        with self._translated_errors():
            self._client.close()
            self._client.connection_pool.disconnect()

    @contextlib.contextmanager
    def _pipeline(self) -> Iterator[Any]:
        """Yield a pipeline, and send its commands at the end of the block."""
        with self._translated_errors():
            pipeline = self._client.pipeline(transaction=False)
            yield pipeline
            pipeline.execute()

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (self._library.RedisError, OSError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            raise exceptions.RegistryUnavailable(
                f"Redis at {self._shown} cannot be used: {reason}. Check that it runs and that {OPTION} is right."
            ) from error


def _load_library() -> Any:
    try:
        return importlib.import_module("redis")
    except ImportError as error:
        raise exceptions.ConfigurationError(
            "The MatchMaker redis needs the library redis: run 'pip install cells-intercell[redis]'."
        ) from error


def _read_url(connection: str | None) -> tuple[str, str]:
    """Return the URL for the library, and the prefix."""
    try:
        parts = urllib.parse.urlsplit(connection or "")
        parts.port  # noqa: B018  # raises ValueError if the port is not a number
        options = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
    except ValueError:
        raise _wrong_url() from None
    prefix = options.pop("prefix", [DEFAULT_PREFIX])[-1]
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise _wrong_url()
    # Not rebuilt with urlunsplit: that would drop two of the slashes of unix:///path.
    rest = urllib.parse.urlencode(options, doseq=True)
    return f"{(connection or '').partition('?')[0]}?{rest}".rstrip("?"), prefix


def _wrong_url() -> exceptions.ConfigurationError:
    return exceptions.ConfigurationError(
        f"{OPTION} is not the URL of a Redis database: write redis://:password@host:6379/0, with special characters "
        "of the password as %nn."
    )


def _without_secrets(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def _seconds(time: tuple[int, int]) -> float:
    return int(time[0]) + int(time[1]) / 1e6


def _by_key(entries: Sequence[Entry]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, host in entries:
        found.setdefault(key, []).append(host)
    return found
