"""Fixtures of the brokers."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.rabbitmq import rabbitmq
from tools import rabbitmq_installation
from tools.broker_node import BrokerNode
from tools.rabbitmq_installation import Installation, InstallationError

__all__ = ["newer_rabbitmq", "rabbitmq", "start_node"]

NAMES = ("a", "b", "c", "d", "e", "f")
StartNode = Callable[..., BrokerNode]


@pytest.fixture(scope="session")
def newer_rabbitmq() -> Installation:
    """RabbitMQ 4.3 or later; installed at the first run."""
    try:
        return rabbitmq_installation.newer()
    except InstallationError as error:
        pytest.skip(f"no RabbitMQ 4.3: {error}")


@pytest.fixture(scope="module")
def start_node(newer_rabbitmq: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartNode]:
    """Factory of nodes; stopped at the end of the module.  Its parameters are lines of rabbitmq.conf."""
    started: list[tuple[BrokerNode, Path]] = []

    def start(*settings: str) -> BrokerNode:
        directory = newer_rabbitmq.nodes(tmp_path_factory.mktemp("nodes")) / secrets.token_hex(4)
        node = BrokerNode(directory, NAMES, schedulers=1, settings=settings, installation=newer_rabbitmq)
        started.append((node, directory))
        return node.start().wait_ready()

    try:
        yield start
    finally:
        for node, directory in started:
            node.stop()
            shutil.rmtree(directory, ignore_errors=True)
