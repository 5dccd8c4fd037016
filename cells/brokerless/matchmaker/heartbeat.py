"""HeartbeatMatchMakerBase: registrations with heartbeats, independent of the registry's back end.

A subclass writes to its back end and reads it (``backend_...``).  This class answers from
memory, follows the registry on one thread, and limits the cost of an outage of the registry
to one short wait.
"""

from __future__ import annotations

import abc
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from oslo_config import cfg

from cells import exceptions
from cells.brokerless.matchmaker.availability import Availability, reason_of
from cells.brokerless.matchmaker.base import MatchMakerBase
from cells.brokerless.matchmaker.bindings import DirectBinding, FanoutBinding, TopicBinding, without_fanout
from cells.brokerless.matchmaker.exchanges import Exchange, Match
from cells.brokerless.matchmaker.known_hosts import KnownHosts
from cells.brokerless.matchmaker.loop import RETRY_SECONDS, HeartbeatLoop

LOG = logging.getLogger(__name__)

#: a key and a host that serves it
Entry = tuple[str, str]
#: How long stop_heartbeat waits for the thread, and then for another thread that writes.
STOP_SECONDS = 5.0
#: A host whose last heartbeat is older than this number of intervals has missed a heartbeat.
MISSED_HEARTBEATS = 1.5
#: A registration is removed from the back end when it has been dead for this multiple of the ttl.
PURGE_AFTER_TTLS = 10


class RegisteredExchange(Exchange):
    """Finds the hosts that are registered under a key, or under the topic of a fan-out key."""

    def __init__(self, hosts: Callable[[str], Collection[str]]) -> None:
        self._hosts = hosts

    def run(self, key: str) -> list[Match]:
        key = without_fanout(key)
        return [(key, host) for host in self._hosts(key)]


class HeartbeatMatchMakerBase(MatchMakerBase, abc.ABC):
    """A MatchMaker whose hosts register in a back end.

    The ``backend_`` methods may be called from several threads at once and may block for a
    few seconds at most.  If the back end cannot be used, they raise a CellsError, whose text
    is logged.  They exchange ages, measured by the clock of the back end, so that the clocks
    of the machines do not matter.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises cells.exceptions.ConfigurationError: the ttl is not longer than the heartbeat interval"""
        super().__init__(conf)
        options = conf.oslo_messaging_zmq
        self._freq_seconds: float = options.matchmaker_heartbeat_freq
        self._ttl_seconds: float = options.matchmaker_heartbeat_ttl
        if self._ttl_seconds <= self._freq_seconds:
            raise exceptions.ConfigurationError(
                f"[oslo_messaging_zmq] matchmaker_heartbeat_ttl = {self._ttl_seconds} must be more than "
                f"matchmaker_heartbeat_freq = {self._freq_seconds}: otherwise every server would count as dead "
                "between two heartbeats."
            )
        self._availability = Availability()
        self._known = KnownHosts(self._ttl_seconds)
        self._loop = HeartbeatLoop(self._heartbeat_round, self._freq_seconds)
        self._lock = threading.Lock()  # of the next two; never held during I/O
        self._own: dict[Entry, None] = {}
        self._withdrawn: set[Entry] = set()
        # Held while own registrations are written, so that they are written in the order of their changes.
        self._writing = threading.Lock()
        self._querying = threading.Lock()  # concurrent questions about a key become one query
        self._failed_query: tuple[float, str] | None = None
        self._purge_at = 0.0
        for binding in (FanoutBinding(), DirectBinding(), TopicBinding()):
            self.add_binding(binding, RegisteredExchange(self._hosts))

    # Methods that a subclass must or may override.

    @abc.abstractmethod
    def backend_register(self, key: str, host: str) -> None:
        """Add a registration, or refresh its heartbeat."""

    @abc.abstractmethod
    def backend_unregister(self, key: str, host: str) -> None:
        """Remove a registration; a missing registration is no error."""

    def backend_hosts(self, keys: Collection[str]) -> Mapping[str, Mapping[str, float]]:  # noqa: ARG002  # a default
        """Return ``{key: {host: seconds since its last heartbeat}}`` for all of ``keys``, with overdue hosts.

        A MatchMaker whose own bindings resolve the keys does not need this method.
        """
        return {}

    def backend_heartbeat(self, entries: Sequence[Entry]) -> None:
        """Call :meth:`backend_register` for all entries, if possible in one write.  Called at every interval."""
        for key, host in entries:
            self.backend_register(key, host)

    def backend_withdraw(self, entries: Sequence[Entry]) -> None:
        """Call :meth:`backend_unregister` for all entries, if possible in one write."""
        for key, host in entries:
            self.backend_unregister(key, host)

    def backend_touch(self, entries: Sequence[Entry]) -> None:
        """Refresh the heartbeat of other processes' registrations that still exist."""

    def backend_expire(self, entries: Sequence[Entry], not_since_seconds: float) -> None:
        """Remove other processes' registrations without a heartbeat within ``not_since_seconds``."""

    def backend_purge(self, dead_for_seconds: float) -> None:
        """Remove all registrations without a heartbeat for this time."""

    def backend_close(self) -> None:
        """Close connections.  The next access opens them again."""

    # Resolving keys.

    def is_alive(self, topic: str, host: str) -> bool:
        """Return whether ``host`` is alive; False too if ``host`` is unknown."""
        if self._known.is_expired(host):
            return False
        if self._known.is_delivered(host):
            return True
        try:
            return host in self._hosts(without_fanout(topic))
        except exceptions.MatchMakerException:
            return False

    def ack_alive(self, key: str, host: str) -> None:  # noqa: ARG002  # a process is alive for all of its keys
        self._known.deliver(host)

    def expire(self, topic: str, host: str) -> None:
        """Record that the process is dead, for all of its keys and not only for ``topic``."""
        LOG.debug("The host %s, found under %s, is dead.", host, topic)
        self._known.expire(host)
        self._loop.wake()

    def _hosts(self, key: str) -> tuple[str, ...]:
        alive = self._known.alive(key)
        # Without the thread the stored answers are not refreshed.
        if alive and (self._loop.is_running or not self._is_stale(key)):
            return alive
        asked_at = time.monotonic()
        with self._querying:
            last_asked_at = self._known.asked_at(key)
            is_answered = last_asked_at is not None and last_asked_at >= asked_at
            problem = None if is_answered else self._query([key])
        alive = self._known.alive_at_last(key)
        if problem is not None and not alive:
            raise exceptions.RegistryUnavailable(
                f"The servers of {key} are not known, because the registry of servers is unavailable: {problem}"
            )
        return alive

    def _is_stale(self, key: str) -> bool:
        asked_at = self._known.asked_at(key)
        return asked_at is None or time.monotonic() - asked_at > self._freq_seconds

    def _query(self, keys: Collection[str]) -> str | None:
        """Query the registry; return the reason if it does not answer."""
        started_at = time.monotonic()
        failed = self._failed_query
        if failed is not None and started_at - failed[0] < RETRY_SECONDS:
            # Do not block every message of a busy sender while the registry is unavailable.
            return failed[1]
        try:
            hosts = self.backend_hosts(keys)
        except Exception as error:  # a back end may raise anything
            self._availability.failed(error)
            reason = reason_of(error)
            self._failed_query = (time.monotonic(), reason)
            return reason
        self._failed_query = None
        self._known.store(hosts, started_at)
        self._report_success()
        return None

    # Registering.

    def register(self, key: str, host: str) -> None:
        with self._lock:
            self._own[key, host] = None
            self._withdrawn.discard((key, host))
            self._known.set_own(self._own)
        self._known.revive([host])
        self._write_now(lambda: self.backend_register(key, host) if (key, host) in self._own else None)

    def unregister(self, key: str, host: str) -> None:
        with self._lock:
            self._own.pop((key, host), None)
            self._withdrawn.add((key, host))
            self._known.set_own(self._own)
        self._known.forget(key, host)
        self._write_now(self._write_withdrawn)

    def _write_now(self, write: Callable[[], None]) -> None:
        """Write at once if the registry is available, so that other processes see it; the thread retries the rest."""
        if self._loop.is_running and self._availability.problem is not None:
            return
        if self._try_to_write(write):
            self._report_success()
        else:
            self._loop.wake()

    def _try_to_write(self, write: Callable[[], None]) -> bool:
        with self._writing:
            return self._try(write)

    def _try(self, access: Callable[[], None]) -> bool:
        """Access the back end; record a failure and return whether the access succeeded."""
        try:
            access()
        except Exception as error:  # a back end may raise anything
            self._availability.failed(error)
            return False
        return True

    def _report_success(self) -> None:
        # Only a full round of the thread proves that the registry is available.
        if not self._loop.is_running:
            self._availability.worked()

    def send_heartbeats(self) -> None:
        self._write_now(self._write_own)

    def _write_own(self) -> None:
        self._write_withdrawn()
        with self._lock:
            entries = list(self._own)
        if entries:
            self.backend_heartbeat(entries)
        self._known.revive({host for _, host in entries})

    def _write_withdrawn(self) -> None:
        with self._lock:
            entries = list(self._withdrawn)
        if entries:
            self.backend_withdraw(entries)
            with self._lock:
                self._withdrawn.difference_update(entries)

    # The thread.

    def start_heartbeat(self) -> None:
        self._loop.start()

    def stop_heartbeat(self) -> None:
        self._loop.stop(STOP_SECONDS)
        with self._lock:
            self._withdrawn.update(self._own)
            self._own.clear()
            self._known.set_own(())
            has_work = bool(self._withdrawn)
        # Do not wait for an unavailable registry: after the ttl its old entries count as dead.
        if has_work and self._availability.problem is None and self._writing.acquire(timeout=STOP_SECONDS):
            try:
                self._write_withdrawn()
            except Exception as error:  # a back end may raise anything
                LOG.info("Registrations of this process remain in the registry until they expire: %s", reason_of(error))
            finally:
                self._writing.release()
        with self._lock:
            self._withdrawn.clear()
        try:
            self.backend_close()
        except Exception as error:  # a back end may raise anything
            LOG.debug("The connection to the registry of servers could not be closed: %s", reason_of(error))

    def _heartbeat_round(self) -> bool:
        """Do one round of the thread; return whether all accesses succeeded."""
        self._known.prune()
        followed = self._known.followed()
        is_written = self._try_to_write(self._write_own)
        # If it cannot be written, the registry may still be readable.
        is_read = not followed or self._query(followed) is None
        if not (is_written and is_read and self._try(self._report_others)):
            return False
        self._availability.worked()
        return True

    def _report_others(self) -> None:
        """Write to the registry which overdue hosts are dead, and which are alive."""
        with self._lock:
            own_hosts = {host for _, host in self._own}
        for host, (entries, age_seconds) in self._known.found_dead().items():
            # Keep a host that sends heartbeats: perhaps only this process cannot reach it.
            if host not in own_hosts and age_seconds > MISSED_HEARTBEATS * self._freq_seconds:
                self.backend_expire(entries, age_seconds)
        # Only for hosts that would soon count as dead: live hosts refresh their own entries at every interval.
        late_seconds = max(self._ttl_seconds - self._freq_seconds, MISSED_HEARTBEATS * self._freq_seconds)
        late = self._known.late_but_alive(late_seconds)
        if late:
            self.backend_touch(late)
        if time.monotonic() >= self._purge_at:
            self.backend_purge(PURGE_AFTER_TTLS * self._ttl_seconds)
            self._purge_at = time.monotonic() + PURGE_AFTER_TTLS * self._ttl_seconds
