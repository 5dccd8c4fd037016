"""Who could take a message: asked by the sender, once for each message.

Three kinds of transport URL name them in three ways: through a MatchMaker, by
their TCP addresses, or by the directory that holds their sockets.
"""

from __future__ import annotations

import abc
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from cells import exceptions
from cells.brokerless import addresses, ipc, routing_keys
from cells.brokerless.addresses import Address
from cells.brokerless.matchmaker.base import MatchMakerBase
from cells.brokerless.server import ALL_POOLS

#: A process that did not answer is asked after the others for so long; twice as long each further time.
FIRST_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 30.0
#: Two changes of a directory within that time can have the same time of change.
SETTLED_SECONDS = 1.0


class Peers(abc.ABC):
    """The serving processes that one transport URL stands for.  Thread-safe."""

    def __init__(self) -> None:
        #: (key, pool) -> turns taken: one count for all of them could give each always the same peer
        self._turns: dict[tuple[str, str | None], int] = {}
        self._lock = threading.Lock()
        #: process -> until when it rests, and how long it rested
        self._backoffs: dict[str, tuple[float, float]] = {}

    def find(self, key: str, pool: str | None = None) -> list[Address]:
        """Who may serve ``key``, in the order in which they should be tried.  Empty: nobody, as far as is known.

        The alive ones take turns; those that did not answer lately come last.

        :param pool: the one pool of listeners that is meant
        :raises cells.exceptions.MatchMakerException: that is not known, and why
        """
        found = self._known(key)
        if pool is not None:
            found = [address for address in found if address.pool == pool]
        if len(found) > 1:
            turn = self._next_turn(key, pool) % len(found)
            found = [*found[turn:], *found[:turn]]
        if self._backoffs:
            now = time.monotonic()
            found.sort(key=lambda address: self._backoffs.get(address.process, (0.0, 0.0))[0] > now)
        return found

    def pools(self, key: str) -> list[str]:
        """The pools of listeners for ``key``; it is nobody's turn by that.

        :raises cells.exceptions.MatchMakerException: that is not known, and why
        """
        return sorted({address.pool for address in self._known(key)})

    def _next_turn(self, key: str, pool: str | None) -> int:
        with self._lock:
            turn = self._turns[key, pool] = self._turns.get((key, pool), -1) + 1
        return turn

    @abc.abstractmethod
    def _known(self, key: str) -> list[Address]:
        """A new list of them, in any order."""

    def delivered(self, key: str, address: Address) -> None:  # noqa: ARG002  # the contract
        """It took a message."""
        if address.process in self._backoffs:
            with self._lock:
                self._backoffs.pop(address.process, None)

    def unreachable(self, key: str, address: Address) -> None:  # noqa: ARG002  # the contract
        """It could not be connected to, or did not answer."""
        now = time.monotonic()
        with self._lock:
            _, rested_seconds = self._backoffs.get(address.process, (0.0, FIRST_BACKOFF_SECONDS / 2))
            rest_seconds = min(2 * rested_seconds, MAX_BACKOFF_SECONDS)
            # Most of those that died come back under another name, so each would be remembered for ever.
            self._backoffs = {
                process: rest for process, rest in self._backoffs.items() if rest[0] + MAX_BACKOFF_SECONDS > now
            }
            self._backoffs[address.process] = (now + rest_seconds, rest_seconds)

    def refused(self, key: str, address: Address) -> None:  # noqa: B027  # what was asked, not believed, is no news
        """It is there and does not serve ``key`` any more."""


class FixedPeers(Peers):
    """Processes by address, ``zmq://host1:port1,host2:port2/``: what they serve they are asked for."""

    def __init__(self, endpoints: Sequence[str]) -> None:
        super().__init__()
        self._endpoints = tuple(endpoints)

    def _known(self, key: str) -> list[Address]:
        return [Address((endpoint,), _pool(key)) for endpoint in self._endpoints]


class DirectoryPeers(Peers):
    """Every process with a socket in one directory, ``zmq+ipc:///run/cells/east``."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self._seen: tuple[int, tuple[str, ...]] = (-1, ())

    def _known(self, key: str) -> list[Address]:
        try:
            status = self._directory.stat()
        except OSError as error:
            raise exceptions.MatchMakerException(
                f"There is no directory of sockets {self._directory} ({error.strerror}): the service does not run there"
            ) from None
        # In a place like /tmp somebody else could have made it, to get our messages.
        if os.geteuid() not in (0, status.st_uid) or status.st_mode & 0o022:
            raise exceptions.MatchMakerException(
                f"The directory of sockets {self._directory} belongs to another user, or others may write to it."
            )
        changed_at = status.st_mtime_ns
        seen_at, endpoints = self._seen
        if changed_at != seen_at:
            endpoints = tuple(f"{addresses.IPC}{path}" for path in ipc.live_sockets(self._directory))
            is_settled = time.time_ns() - changed_at > SETTLED_SECONDS * 1e9
            self._seen = (changed_at if is_settled else -1, endpoints)
        return [Address((endpoint,), _pool(key)) for endpoint in endpoints]


class RegisteredPeers(Peers):
    """Who has registered in a MatchMaker, ``zmq:///``.

    :param everybody: who is meant by a MatchMaker that knows hosts only by the name of this one
    """

    def __init__(self, matchmaker: MatchMakerBase, everybody: Peers) -> None:
        super().__init__()
        self._matchmaker = matchmaker
        self._everybody = everybody

    def _known(self, key: str) -> list[Address]:
        found = []
        for _queue, host in self._matchmaker.queues(key):
            if host is None or "://" not in host:
                # Not find: with turns taken twice each message, half of them would never come first.
                return self._everybody._known(key)
            found.append(addresses.parse(host))
        return found

    def delivered(self, key: str, address: Address) -> None:
        super().delivered(key, address)
        self._matchmaker.ack_alive(routing_keys.without_fanout(key), str(address))

    def unreachable(self, key: str, address: Address) -> None:
        super().unreachable(key, address)
        self._matchmaker.expire(routing_keys.without_fanout(key), str(address))


def _pool(key: str) -> str:
    """Who only knows processes asks each of them for one listener of every pool."""
    return ALL_POOLS if key.startswith(routing_keys.NOTIFICATION_PREFIX) else ""
