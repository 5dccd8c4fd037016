"""Run: the parameters of a run, and the resources that its parts share."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import broker_node, virtual_hosts
from tools.broker_node import BrokerNode


class Skipped(Exception):
    """Raised by a part that cannot be measured on this machine; the text says why."""


@dataclass(frozen=True)
class Run:
    """Size of the measurements, their broker and their output."""

    rabbit_url: str
    rounds: int
    #: number of calls of each kind and round
    calls: int
    #: number of messages that wait for the relay
    messages: int
    #: directories for profiles, and for plots and tables of the documentation; None: do not write them
    profiles: Path | None = None
    figures: Path | None = None

    @contextlib.contextmanager
    def virtual_hosts(self, count: int) -> Iterator[list[str]]:
        """Yield transport URLs of virtual hosts on this run's RabbitMQ; they are deleted afterwards."""
        virtual_hosts.check_reachable([self.rabbit_url])
        hosts = virtual_hosts.VirtualHosts(self.rabbit_url, prefix="cells-bench")
        try:
            yield hosts.create(count)
        finally:
            hosts.delete()

    @contextlib.contextmanager
    def many_connections(self, count: int) -> Iterator[list[str]]:
        """Yield transport URLs for a part that opens too many connections for a shared RabbitMQ.

        They belong to a node of the benchmark's own, unless this machine cannot start one.
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
    """Yield a directory for configurations, databases and sockets; sockets need its short path."""
    with tempfile.TemporaryDirectory(prefix="cells-bench-") as made:
        yield Path(made)


@contextlib.contextmanager
def own_node(names: Sequence[str], plugins: list[str] | None = None) -> Iterator[BrokerNode]:
    """Run a RabbitMQ node of the benchmark's own during the block.

    :raises Skipped: RabbitMQ is not installed on this machine
    """
    if not broker_node.is_installed():
        raise Skipped("it needs its own RabbitMQ node, and rabbitmq-server or rabbitmqctl is not installed here")
    with directory() as made, BrokerNode(made, names, plugins or []) as node:
        yield node
