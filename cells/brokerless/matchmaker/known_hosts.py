"""What this process knows of the hosts of each key: in memory, for the path of every message.

It is told what the registry said, what was registered here, which hosts took a
message and which were found dead, and says who is alive.  Pure but for its clock.

A host's last heartbeat is kept as a time of this process's own clock: the registry
tells an *age*, so clocks of different machines are never compared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

#: How long a key that is asked for no more is followed.
FOLLOWED_SECONDS = 600.0
#: How long the answer about such a key is kept, for the case that the registry is away.
REMEMBERED_SECONDS = 86400.0


@dataclass(frozen=True)
class _Answer:
    """What the registry said of one key."""

    asked_at: float
    took_seconds: float
    #: host -> when it was last heard of: not later than its last heartbeat, and less than took_seconds earlier
    heartbeats: Mapping[str, float]
    overdue: frozenset[str]


class KnownHosts:
    """The hosts of the keys that were asked for.  Thread-safe; nothing here blocks."""

    def __init__(self, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[str, _Answer] = {}
        self._asked: dict[str, float] = {}
        self._own: dict[str, tuple[str, ...]] = {}
        self._delivered: dict[str, float] = {}  # host -> when it took a message
        self._expired: dict[str, float] = {}  # host -> when it was found dead
        self._overdue: set[str] = set()
        self._alive: dict[str, tuple[str, ...]] = {}  # results of _find_alive, until something changes

    def alive(self, key: str) -> tuple[str, ...] | None:
        """The hosts of ``key``; None if nothing was asked about it lately, so that the registry has to be."""
        now = self._clock()
        with self._lock:
            asked_at = self._asked.get(key)
            self._asked[key] = now
            if asked_at is None or now - asked_at > FOLLOWED_SECONDS:
                return None
            return self._find_alive(key, now)

    def alive_at_last(self, key: str) -> tuple[str, ...]:
        """The hosts of ``key`` as far as they are known, however long ago."""
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
        """When the registry was asked for what is known of ``key``, by this object's clock."""
        with self._lock:
            answer = self._answers.get(key)
            return None if answer is None else answer.asked_at

    def followed(self) -> list[str]:
        """The keys that the registry is to be asked about again."""
        earliest = self._clock() - FOLLOWED_SECONDS
        with self._lock:
            return [key for key, asked_at in self._asked.items() if asked_at >= earliest]

    def store(self, hosts: Mapping[str, Mapping[str, float]], asked_at: float) -> None:
        """Keep what the registry said.

        :param hosts: ``{key: {host: seconds since its last heartbeat}}``; a host that was not heard of
            within the ttl is kept too, as it may have taken a message since
        :param asked_at: a time before the registry was asked
        """
        took_seconds = self._clock() - asked_at
        with self._lock:
            for key, ages in hosts.items():
                before = self._answers.get(key)
                if before is not None and before.asked_at > asked_at:
                    continue
                # Reckoned from before the question, so that no heartbeat is taken for a later one than it was.
                heartbeats = {host: asked_at - age for host, age in ages.items()}
                overdue = frozenset(host for host, age in ages.items() if age > self._ttl_seconds)
                self._answers[key] = _Answer(asked_at, took_seconds, heartbeats, overdue)
                for host, heartbeat_at in heartbeats.items():
                    if heartbeat_at > self._expired.get(host, heartbeat_at):
                        del self._expired[host]
            self._overdue = {host for answer in self._answers.values() for host in answer.overdue}
            self._alive.clear()

    def set_own(self, entries: Iterable[tuple[str, str]]) -> None:
        """``(key, host)`` of all that this process serves: alive without a heartbeat."""
        own: dict[str, tuple[str, ...]] = {}
        for key, host in entries:
            own[key] = (*own.get(key, ()), host)
        with self._lock:
            self._own = own
            self._alive.clear()

    def forget(self, key: str, host: str) -> None:
        """``host`` serves ``key`` no more, whatever the registry said before."""
        with self._lock:
            answer = self._answers.get(key)
            if answer is not None and host in answer.heartbeats:
                rest = {other: at for other, at in answer.heartbeats.items() if other != host}
                self._answers[key] = replace(answer, heartbeats=rest)
            self._alive.clear()

    def revive(self, hosts: Iterable[str]) -> None:
        """``hosts`` have given a sign of life just now, whoever found them dead before."""
        with self._lock:
            for host in hosts:
                if self._expired.pop(host, None) is not None:
                    self._alive.clear()

    def deliver(self, host: str) -> None:
        """``host`` has taken a message."""
        with self._lock:
            self._delivered[host] = self._clock()
            if host in self._overdue or host in self._expired:
                self._expired.pop(host, None)
                self._alive.clear()

    def expire(self, host: str) -> None:
        """``host`` was found dead."""
        with self._lock:
            self._expired[host] = self._clock()
            self._delivered.pop(host, None)
            self._alive.clear()

    def is_expired(self, host: str) -> bool:
        return host in self._expired

    def is_delivered(self, host: str) -> bool:
        """Whether ``host`` has taken a message within the ttl, and was not found dead after it."""
        with self._lock:
            return self._is_delivered(host, self._clock())

    def found_dead(self) -> dict[str, tuple[list[tuple[str, str]], float]]:
        """What can be taken out: ``{host: ([(key, host), ...], seconds since its last heartbeat)}``.

        A host that may have had a heartbeat after it was found dead is not among them.
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
        """``(key, host)`` whose last heartbeat was so long ago and which have taken a message after it."""
        latest = self._clock() - late_seconds
        with self._lock:
            return [
                (key, host)
                for key, answer in self._answers.items()
                for host, heartbeat_at in answer.heartbeats.items()
                if heartbeat_at < latest and self._delivered.get(host, heartbeat_at) > max(latest, heartbeat_at)
            ]

    def prune(self) -> None:
        """Drop what is of no use any more.  To be called now and then."""
        now = self._clock()
        with self._lock:
            # A message that was taken longer than the ttl ago is no sign of life any more.
            self._alive.clear()
            self._delivered = {host: at for host, at in self._delivered.items() if now - at <= self._ttl_seconds}
            for key in [key for key, asked_at in self._asked.items() if now - asked_at > REMEMBERED_SECONDS]:
                del self._asked[key]
                self._answers.pop(key, None)
            known = {host for answer in self._answers.values() for host in answer.heartbeats}
            self._expired = {
                host: at for host, at in self._expired.items() if host in known or now - at < self._ttl_seconds
            }
