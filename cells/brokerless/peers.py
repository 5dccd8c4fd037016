"""Peers: the processes that can take a message.  The sender asks for them once per message.

The three kinds of transport URL find them in three ways: through a MatchMaker, by TCP
address, or in a directory of sockets.
"""

from __future__ import annotations

import abc
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cells import exceptions
from cells.brokerless import addresses, ipc, routing_keys
from cells.brokerless.addresses import Address
from cells.brokerless.matchmaker.base import MatchMakerBase
from cells.brokerless.server import ALL_POOLS

#: Backoff of a process that did not answer: it is tried after the others. It doubles with each failure.
FIRST_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 30.0
#: Two changes of a directory within this time may leave the same modification time.
SETTLED_SECONDS = 1.0


class NoServices(exceptions.MatchMakerException):
    """Raised when no process has ever served there."""


class Peers(abc.ABC):
    """The serving processes that a transport URL stands for.  Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: (key, pool) -> turns taken; with one counter for all keys a key could always get the same peer
        self._turns: dict[tuple[str, str | None], int] = {}
        self._lock = threading.Lock()
        #: process -> end of its backoff, and the length of the backoff
        self._backoffs: dict[str, tuple[float, float]] = {}

    def find(self, key: str, pool: str | None = None) -> list[Address]:
        """Return the addresses that may serve ``key``, in the order to try; empty if none is known.

        Live addresses take turns; addresses in backoff come last.

        :param pool: return only listeners of this pool
        :raises cells.exceptions.MatchMakerException: the peers cannot be determined; the text says why
        """
        found = self._known(key)
        if pool is not None:
            found = [address for address in found if address.pool == pool]
        if len(found) > 1:
            with self._lock:
                turn = self._turns[key, pool] = self._turns.get((key, pool), -1) + 1
            first = turn % len(found)
            found = [*found[first:], *found[:first]]
        if self._backoffs:
            now = self._clock()
            found.sort(key=lambda address: self._backoffs.get(address.process, (0.0, 0.0))[0] > now)
        return found

    def pools(self, key: str) -> list[str]:
        """Return the pools of listeners for ``key``, without taking a turn.

        :raises cells.exceptions.MatchMakerException: the peers cannot be determined; the text says why
        """
        return sorted({address.pool for address in self._known(key)})

    @abc.abstractmethod
    def _known(self, key: str) -> list[Address]:
        """Return a new list of the addresses for ``key``, in any order."""

    def delivered(self, key: str, address: Address) -> None:  # noqa: ARG002  # the contract
        """Record that the process at ``address`` accepted a message."""
        if address.process in self._backoffs:
            with self._lock:
                self._backoffs.pop(address.process, None)

    def unreachable(self, key: str, address: Address) -> None:  # noqa: ARG002  # the contract
        """Record that the process at ``address`` refused the connection or did not answer."""
        now = self._clock()
        with self._lock:
            _, rested_seconds = self._backoffs.get(address.process, (0.0, FIRST_BACKOFF_SECONDS / 2))
            rest_seconds = min(2 * rested_seconds, MAX_BACKOFF_SECONDS)
            # Drop old entries: most restarted processes have a new address, and the map would grow without limit.
            self._backoffs = {
                process: rest for process, rest in self._backoffs.items() if rest[0] + MAX_BACKOFF_SECONDS > now
            }
            self._backoffs[address.process] = (now + rest_seconds, rest_seconds)


class FixedPeers(Peers):
    """Processes by address, ``zmq://host1:port1,host2:port2/``: each is asked whether it serves a key."""

    def __init__(self, endpoints: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._endpoints = tuple(endpoints)

    def _known(self, key: str) -> list[Address]:
        return [Address((endpoint,), _pool(key)) for endpoint in self._endpoints]


class DirectoryPeers(Peers):
    """All processes with a socket in one directory, ``zmq+ipc:///run/cells/east``."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self._seen: tuple[int, tuple[str, ...]] = (-1, ())

    def _known(self, key: str) -> list[Address]:
        try:
            status = self._directory.stat()
        except OSError as error:
            kind = NoServices if isinstance(error, FileNotFoundError) else exceptions.MatchMakerException
            raise kind(
                f"The socket directory {self._directory} cannot be read ({error.strerror}): no service runs there"
            ) from None
        # In a directory like /tmp another user could have created it, to receive this user's messages.
        if os.geteuid() not in (0, status.st_uid) or status.st_mode & 0o022:
            raise exceptions.MatchMakerException(
                f"The socket directory {self._directory} belongs to another user, or other users can write to it."
            )
        changed_at = status.st_mtime_ns
        seen_at, endpoints = self._seen
        if changed_at != seen_at:
            endpoints = tuple(f"{addresses.IPC}{path}" for path in ipc.live_sockets(self._directory))
            is_settled = time.time_ns() - changed_at > SETTLED_SECONDS * 1e9
            self._seen = (changed_at if is_settled else -1, endpoints)
        return [Address((endpoint,), _pool(key)) for endpoint in endpoints]


class RegisteredPeers(Peers):
    """Processes that are registered in a MatchMaker, ``zmq:///``.

    :param local: used if the MatchMaker knows no addresses, only names such as ``localhost``
    """

    def __init__(self, matchmaker: MatchMakerBase, local: Peers) -> None:
        super().__init__()
        self._matchmaker = matchmaker
        self._local = local

    def _known(self, key: str) -> list[Address]:
        found = []
        for _queue, host in self._matchmaker.queues(key):
            if host is None or "://" not in host:
                # Not find(): it would take a second turn per message, and half of the peers would never be first.
                return self._local._known(key)
            found.append(addresses.parse(host))
        return found

    def delivered(self, key: str, address: Address) -> None:
        super().delivered(key, address)
        self._matchmaker.ack_alive(routing_keys.without_fanout(key), str(address))

    def unreachable(self, key: str, address: Address) -> None:
        super().unreachable(key, address)
        self._matchmaker.expire(routing_keys.without_fanout(key), str(address))


def _pool(key: str) -> str:
    """Return the pool to ask for where only processes are known: a listener in each pool of the process."""
    return ALL_POOLS if key.startswith(routing_keys.NOTIFICATION_PREFIX) else ""
