"""A queue or an exchange that exists with other properties (case A6)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cells.transport import rabbitmq as plain
from cells.transport.url import BrokerHost
from tests.integration.processes import OPTIONS, make_manager, merged
from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.transports import CellTransport
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
    with plain.login(host, broker.path[1:]) as connection:
        declare(connection.channel())
        try:
            manager.start()
            poll(
                lambda: [line for line in manager.log().splitlines() if all(word in line for word in words)],
                "the manager names it",
                timeout_seconds=60,
            )
            delete(connection.channel())
            manager.wait_ready(60)
        finally:
            manager.kill()
