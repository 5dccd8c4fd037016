"""Run: what every part of the benchmark is told, and where it may put things."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import broker_node, virtual_hosts
from tools.broker_node import BrokerNode


class LeftOut(Exception):
    """Raised by a part that cannot be measured on this machine; the message says why."""


@dataclass(frozen=True)
class Run:
    """How much is measured, and on what."""

    rabbit_url: str
    rounds: int
    #: of each kind and round
    calls: int
    #: that wait for the relay
    messages: int
    #: where profiles, plots and tables for the documentation go; None: nowhere
    profiles: Path | None = None
    figures: Path | None = None

    @contextlib.contextmanager
    def virtual_hosts(self, count: int) -> Iterator[list[str]]:
        """Transport URLs on the RabbitMQ of this run, deleted afterwards."""
        virtual_hosts.check_reachable([self.rabbit_url])
        hosts = virtual_hosts.VirtualHosts(self.rabbit_url, prefix="cells-bench")
        try:
            yield hosts.create(count)
        finally:
            hosts.delete()

    @contextlib.contextmanager
    def many_connections(self, count: int) -> Iterator[list[str]]:
        """Transport URLs for what opens more connections than one should take from somebody else's RabbitMQ.

        On a node of the benchmark's own, unless this machine cannot start one.
        """
        names = [f"bench-{number}" for number in range(count)]
        if not broker_node.is_installed():
            with self.virtual_hosts(count) as urls:
                yield urls
            return
        with own_node(names) as node:
            yield [node.url(name) for name in names]


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """A directory for configurations, databases and sockets: its path is short, because those have little room."""
    with tempfile.TemporaryDirectory(prefix="cells-bench-") as made:
        yield Path(made)


@contextlib.contextmanager
def own_node(names: list[str], plugins: list[str] | None = None) -> Iterator[BrokerNode]:
    """A RabbitMQ node of the benchmark's own.

    :raises LeftOut: this machine has no RabbitMQ to start
    """
    if not broker_node.is_installed():
        raise LeftOut(
            "it needs a RabbitMQ node of its own, and there is no rabbitmq-server with rabbitmqctl on this machine"
        )
    with directory() as made, BrokerNode(made, names, plugins or []) as node:
        yield node
