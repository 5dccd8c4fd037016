"""Exchanges: which hosts a key stands for, where the key itself or the machine says so.

Those that ask a registry are in :mod:`cells.brokerless.matchmaker.heartbeat`.
"""

from __future__ import annotations

import abc

#: A queue, and the host that serves it; None where only the queue is known.
Match = tuple[str, str | None]


class Exchange(abc.ABC):
    """Resolves the keys that its binding lets pass."""

    @abc.abstractmethod
    def run(self, key: str) -> list[Match]:
        """Each queue that ``key`` stands for, with its host.

        :raises cells.exceptions.MatchMakerException: that cannot be told now
        """


class DirectExchange(Exchange):
    """``topic.host`` names its host itself: what is behind the first dot."""

    def run(self, key: str) -> list[Match]:
        return [(key, key.partition(".")[2])]


class StubExchange(Exchange):
    """Keys stay as they are, and no host is known."""

    def run(self, key: str) -> list[Match]:
        return [(key, None)]


class LocalhostExchange(Exchange):
    """Every topic is served on one host, this one: ``topic`` becomes ``topic.localhost``."""

    def __init__(self, host: str = "localhost") -> None:
        self._host = host

    def run(self, key: str) -> list[Match]:
        topic = key.partition(".")[0]
        return [(f"{topic}.{self._host}", self._host)]
