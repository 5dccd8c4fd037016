"""Requests that RabbitMQ delivers again after a broken connection run at most once (case A7)."""

from __future__ import annotations

import itertools
import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cells import conf as cells_conf
from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from cells.transport import open_transport
from tests.integration import snooze
from tests.integration.processes import OPTIONS, make_manager, merged
from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.transports import CellTransport
from tools.forwarder import Forwarder
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq

THREADS = 8
BREAKS = 3
PREFETCH = 50


@pytest.fixture
def url(rabbitmq: VirtualHostPool) -> str:
    return rabbitmq.take()


@pytest.fixture
def path(url: str) -> Iterator[Forwarder]:
    """The path of the manager, and not of its clients, to the broker."""
    broker = urlsplit(url)
    forwarder = Forwarder(broker.hostname or "", broker.port or 5672)
    yield forwarder
    forwarder.close()


@pytest.fixture
def manager(tmp_path: Path, url: str, path: Forwarder) -> Iterator[ManagerProcess]:
    broker = urlsplit(url)
    through = broker._replace(netloc=f"{broker.username}:{broker.password}@127.0.0.1:{path.port}").geturl()
    options = merged(OPTIONS, {"oslo_messaging_rabbit": {"rabbit_qos_prefetch_count": PREFETCH}})
    manager = make_manager(tmp_path, "api", CellTransport(through, through, {}), options=options)
    manager.sync_database()
    try:
        manager.start(snooze.install(tmp_path / "packages"))
        yield manager.wait_ready()
    finally:
        manager.kill()


@pytest.fixture
def api(url: str) -> Iterator[CellsAPI]:
    transport = open_transport(cells_conf.load([]), url)
    yield CellsAPI(transport)
    transport.cleanup()


@pytest.mark.usefixtures("manager")
def test_a_request_runs_once_although_its_connection_breaks(path: Forwarder, api: CellsAPI, tmp_path: Path) -> None:
    numbers, is_over, context = itertools.count(), threading.Event(), get_admin_context()
    runs = tmp_path / "runs"
    runs.mkdir()

    def cast_on() -> int:
        sent = 0
        while not is_over.is_set():
            api.cast(context, "api", "snooze", {"seconds": 0, "mark": str(runs / str(next(numbers)))})
            sent += 1
        return sent

    with ThreadPoolExecutor(THREADS) as pool:
        casting = [pool.submit(cast_on) for _ in range(THREADS)]
        try:
            for _ in range(BREAKS):
                enough = len(os.listdir(runs)) + 2 * PREFETCH
                poll(lambda enough=enough: len(os.listdir(runs)) >= enough, "casts run", timeout_seconds=60)
                path.cut()
                path.restore()
        finally:
            is_over.set()
    sent = sum(done.result() for done in casting)
    # Requests are taken in their order, and this one is the last.
    assert api.call(context, "api", "ping", timeout=60)
    times = Counter(len(file.read_text().splitlines()) for file in runs.iterdir())
    assert set(times) == {1}, f"{sent} casts, by the number of their runs: {times}"
