"""KnownHosts: in-memory knowledge of the hosts of each key, used for every message.

It receives the answers of the registry, the registrations of this process, the hosts that
accepted a message and the hosts that were found dead, and decides which hosts are alive.
Pure except for its clock.

The time of a host's last heartbeat is kept by this process's own clock: the registry reports
an *age*, so clocks of different machines are never compared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

#: How long a key is queried again after its last use.
FOLLOWED_SECONDS = 600.0
#: How long the answer about an unused key is kept, in case the registry is unavailable.
REMEMBERED_SECONDS = 86400.0


@dataclass(frozen=True)
class _Answer:
    """Answer of the registry about one key."""

    asked_at: float
    took_seconds: float
    #: host -> estimated time of its last heartbeat: not later than the real one, and less than took_seconds earlier
    heartbeats: Mapping[str, float]
    overdue: frozenset[str]


class KnownHosts:
    """The hosts of the keys in use.  Thread-safe; no method blocks."""

    def __init__(self, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[str, _Answer] = {}
        self._asked: dict[str, float] = {}
        self._own: dict[str, tuple[str, ...]] = {}
        self._delivered: dict[str, float] = {}  # host -> when it accepted a message
        self._expired: dict[str, float] = {}  # host -> when it was found dead
        self._overdue: set[str] = set()
        self._alive: dict[str, tuple[str, ...]] = {}  # cache of _find_alive, cleared at each change

    def alive(self, key: str) -> tuple[str, ...] | None:
        """Return the live hosts of ``key``; None if ``key`` was not in use lately: then the registry must be asked."""
        now = self._clock()
        with self._lock:
            asked_at = self._asked.get(key)
            self._asked[key] = now
            if asked_at is None or now - asked_at > FOLLOWED_SECONDS:
                return None
            return self._find_alive(key, now)

    def alive_at_last(self, key: str) -> tuple[str, ...]:
        """Return the live hosts of ``key`` by the latest answer, however old."""
        with self._lock:
            return self._find_alive(key, self._clock())

    def _find_alive(self, key: str, now: float) -> tuple[str, ...]:
        found = self._alive.get(key)
        if found is None:
            answer = self._answers.get(key)
            others = answer.heartbeats if answer is not None else ()
            overdue = answer.overdue if answer is not None else ()
            found = self._alive[key] = tuple(
                host
                for host in dict.fromkeys([*self._own.get(key, ()), *others])
                if host not in self._expired
                and (host not in overdue or host in self._own.get(key, ()) or self._is_delivered(host, now))
            )
        return found

    def _is_delivered(self, host: str, now: float) -> bool:
        delivered_at = self._delivered.get(host)
        return delivered_at is not None and now - delivered_at <= self._ttl_seconds

    def asked_at(self, key: str) -> float | None:
        """Return when the registry was asked for the latest answer about ``key``, by this object's clock."""
        with self._lock:
            answer = self._answers.get(key)
            return None if answer is None else answer.asked_at

    def followed(self) -> list[str]:
        """Return the keys about which the registry must be asked again."""
        earliest = self._clock() - FOLLOWED_SECONDS
        with self._lock:
            return [key for key, asked_at in self._asked.items() if asked_at >= earliest]

    def store(self, hosts: Mapping[str, Mapping[str, float]], asked_at: float) -> None:
        """Store an answer of the registry.

        :param hosts: ``{key: {host: seconds since its last heartbeat}}``; a host without a heartbeat within
            the ttl is stored too, since it may have accepted a message in the meantime
        :param asked_at: a time before the registry was asked
        """
        took_seconds = self._clock() - asked_at
        with self._lock:
            for key, ages in hosts.items():
                before = self._answers.get(key)
                if before is not None and before.asked_at > asked_at:
                    continue
                # Calculated from the time before the query, so that no heartbeat appears later than it was.
                heartbeats = {host: asked_at - age for host, age in ages.items()}
                overdue = frozenset(host for host, age in ages.items() if age > self._ttl_seconds)
                self._answers[key] = _Answer(asked_at, took_seconds, heartbeats, overdue)
                for host, heartbeat_at in heartbeats.items():
                    if heartbeat_at > self._expired.get(host, heartbeat_at):
                        del self._expired[host]
            self._overdue = {host for answer in self._answers.values() for host in answer.overdue}
            self._alive.clear()

    def set_own(self, entries: Iterable[tuple[str, str]]) -> None:
        """Store ``(key, host)`` of all keys that this process serves: they are alive without a heartbeat."""
        own: dict[str, tuple[str, ...]] = {}
        for key, host in entries:
            own[key] = (*own.get(key, ()), host)
        with self._lock:
            self._own = own
            self._alive.clear()

    def forget(self, key: str, host: str) -> None:
        """Record that ``host`` no longer serves ``key``, whatever the registry answered before."""
        with self._lock:
            answer = self._answers.get(key)
            if answer is not None and host in answer.heartbeats:
                rest = {other: at for other, at in answer.heartbeats.items() if other != host}
                self._answers[key] = replace(answer, heartbeats=rest)
            self._alive.clear()

    def revive(self, hosts: Iterable[str]) -> None:
        """Record a sign of life of ``hosts``: they are not dead any more."""
        with self._lock:
            for host in hosts:
                if self._expired.pop(host, None) is not None:
                    self._alive.clear()

    def deliver(self, host: str) -> None:
        """Record that ``host`` accepted a message."""
        with self._lock:
            self._delivered[host] = self._clock()
            if host in self._overdue or host in self._expired:
                self._expired.pop(host, None)
                self._alive.clear()

    def expire(self, host: str) -> None:
        """Record that ``host`` is dead."""
        with self._lock:
            self._expired[host] = self._clock()
            self._delivered.pop(host, None)
            self._alive.clear()

    def is_expired(self, host: str) -> bool:
        return host in self._expired

    def is_delivered(self, host: str) -> bool:
        """Return whether ``host`` accepted a message within the ttl, and was not found dead afterwards."""
        with self._lock:
            return self._is_delivered(host, self._clock())

    def found_dead(self) -> dict[str, tuple[list[tuple[str, str]], float]]:
        """Return registrations to remove: ``{host: ([(key, host), ...], seconds since its last heartbeat)}``.

        A host with a possible heartbeat after it was found dead is left out.
        """
        now = self._clock()
        found: dict[str, tuple[list[tuple[str, str]], float]] = {}
        with self._lock:
            for key, answer in self._answers.items():
                for host in self._expired.keys() & answer.heartbeats.keys():
                    latest = answer.heartbeats[host] + answer.took_seconds
                    if latest < self._expired[host]:
                        entries, age_seconds = found.get(host, ([], now - latest))
                        found[host] = ([*entries, (key, host)], min(age_seconds, now - latest))
        return found

    def late_but_alive(self, late_seconds: float) -> list[tuple[str, str]]:
        """Return ``(key, host)`` of hosts with an older heartbeat that accepted a message since."""
        latest = self._clock() - late_seconds
        with self._lock:
            return [
                (key, host)
                for key, answer in self._answers.items()
                for host, heartbeat_at in answer.heartbeats.items()
                if heartbeat_at < latest and self._delivered.get(host, heartbeat_at) > max(latest, heartbeat_at)
            ]

    def prune(self) -> None:
        """Drop outdated entries.  Call this at intervals."""
        now = self._clock()
        with self._lock:
            # A message that was accepted longer ago than the ttl is no longer a sign of life.
            self._alive.clear()
            self._delivered = {host: at for host, at in self._delivered.items() if now - at <= self._ttl_seconds}
            for key in [key for key, asked_at in self._asked.items() if now - asked_at > REMEMBERED_SECONDS]:
                del self._asked[key]
                self._answers.pop(key, None)
            known = {host for answer in self._answers.values() for host in answer.heartbeats}
            self._expired = {
                host: at for host, at in self._expired.items() if host in known or now - at < self._ttl_seconds
            }
