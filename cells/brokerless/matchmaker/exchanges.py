"""Exchanges: each finds the hosts of a key from the key itself or from the local machine.

The exchange that asks a registry is in :mod:`cells.brokerless.matchmaker.heartbeat`.
"""

from __future__ import annotations

import abc

#: A queue and the host that serves it; None if only the queue is known.
Match = tuple[str, str | None]


class Exchange(abc.ABC):
    """Resolver of the keys that pass its binding."""

    @abc.abstractmethod
    def run(self, key: str) -> list[Match]:
        """Return each queue that ``key`` stands for, with its host.

        :raises cells.exceptions.MatchMakerException: ``key`` cannot be resolved now
        """


class DirectExchange(Exchange):
    """Resolves ``topic.host`` to the host in the key: the part after the first dot."""

    def run(self, key: str) -> list[Match]:
        return [(key, key.partition(".")[2])]


class StubExchange(Exchange):
    """Returns each key unchanged, without a host."""

    def run(self, key: str) -> list[Match]:
        return [(key, None)]


class LocalhostExchange(Exchange):
    """Resolves every topic to this host: ``topic`` becomes ``topic.localhost``."""

    def __init__(self, host: str = "localhost") -> None:
        self._host = host

    def run(self, key: str) -> list[Match]:
        topic = key.partition(".")[0]
        return [(f"{topic}.{self._host}", self._host)]
