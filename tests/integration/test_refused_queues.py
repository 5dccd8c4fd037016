"""A queue or an exchange that exists with other properties (case A6)."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cells.transport import rabbitmq as plain
from cells.transport.url import BrokerHost
from tests.integration.processes import OPTIONS, make_manager, merged
from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.transports import CellTransport
from tools.manager_process import READY, ManagerProcess
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq

QUEUE = "cells.intercell.targeted"


@pytest.mark.parametrize(
    ("declare", "delete", "words"),
    [
        pytest.param(
            lambda channel: channel.queue_declare(QUEUE, durable=True, auto_delete=False),
            lambda channel: channel.queue_delete(QUEUE),
            [QUEUE, "amqp_durable_queues"],
            id="queue",
        ),
        pytest.param(
            lambda channel: channel.exchange_declare("openstack", "topic", durable=False, auto_delete=False),
            lambda channel: channel.exchange_delete("openstack"),
            ["exchange openstack", "rabbit_quorum_queue"],
            id="exchange",
        ),
    ],
)
def test_it_is_named_with_the_options_until_it_is_deleted(
    tmp_path: Path,
    rabbitmq: VirtualHostPool,
    declare: Callable[[Any], object],
    delete: Callable[[Any], object],
    words: list[str],
) -> None:
    url = rabbitmq.take()
    broker = urlsplit(url)
    host = BrokerHost(broker.hostname or "", broker.port, broker.username, broker.password)
    quorum = {"oslo_messaging_rabbit": {"rabbit_quorum_queue": "exchange openstack" in words}}
    manager = make_manager(tmp_path, "api", CellTransport(url, url, {}), options=merged(OPTIONS, quorum))
    manager.sync_database()
    with plain.login(host, broker.path[1:]) as connection, notify_socket(tmp_path) as notified:
        declare(connection.channel())
        try:
            manager.start({"NOTIFY_SOCKET": notified.getsockname()})
            # On stderr: the configuration names no log file.
            refusals = poll(lambda: lines_of(manager, "tries again"), "the manager reports it", timeout_seconds=60)
            assert [word for word in (*words, "ERROR") if word not in refusals[0]] == []
            # A queue of the library is named in the line, not in a traceback.
            assert "Traceback" not in manager.log()
            # It waits for the operator, and neither systemd nor other cells are told that it works.
            assert manager.running.poll() is None
            assert lines_of(manager, READY) == []
            assert select.select([notified], [], [], 0)[0] == []
            delete(connection.channel())
            manager.wait_ready(60)
            assert b"READY=1" in notified.recv(4096)
        finally:
            manager.kill()


def lines_of(manager: ManagerProcess, word: str) -> list[str]:
    """Return the lines of the log with a word."""
    return [line for line in manager.log().splitlines() if word in line]


@contextmanager
def notify_socket(directory: Path) -> Iterator[socket.socket]:
    """Return a socket in place of that of systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(directory / "notify"))
        notified.settimeout(60)
        yield notified
