"""Concurrent casts over a real broker: each reaches a manager once, with managers of any releases."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest

from cells import conf as cells_conf
from cells.rpcapi import CellsAPI, casts
from cells.transport import open_transport
from cells.transport import server as rpc_server
from tests.integration.clients import ConnectTo
from tests.integration.processes import OPTIONS, make_manager
from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.transports import CellTransport
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq

THREADS = 16
CASTS = 40


class OldManager:
    """Manager of a release with version 1.1 of the manager's API."""

    target = oslo_messaging.Target(version="1.1")

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []

    def cast(self, ctxt: dict[str, Any], cell_name: str, method_name: str, method_kwargs: dict[str, Any]) -> None:
        self.taken.append(method_kwargs)


@pytest.fixture
def manager(tmp_path: Path, rabbitmq: VirtualHostPool) -> Iterator[ManagerProcess]:
    url = rabbitmq.take()
    manager = make_manager(tmp_path, "api", CellTransport(url, url, {}), options=OPTIONS)
    manager.sync_database()
    try:
        manager.start()
        manager.wait_ready()
        yield manager
    finally:
        manager.kill()


@contextlib.contextmanager
def old_manager(beside: ManagerProcess) -> Iterator[OldManager]:
    transport = open_transport(cells_conf.load([]), beside.transport_url)
    manager = OldManager()
    server = rpc_server.get_server(transport, oslo_messaging.Target(topic="cells", server="old"), [manager])
    server.start()
    try:
        yield manager
    finally:
        server.stop()
        server.wait()
        transport.cleanup()


def cast_from_threads(api: CellsAPI) -> None:
    """Cast to a method that does not exist, so that the manager counts the casts."""
    start = threading.Barrier(THREADS)

    def work(thread: int) -> None:
        start.wait(30)
        for number in range(CASTS):
            api.cast({"user_id": str(thread)}, "api", "note", {"thread": thread, "number": number})

    with futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


def refused(api: CellsAPI) -> int:
    return int(api.status({})["losses"].get("api.cast.here: UnknownMethod.lost", 0))


def test_each_cast_reaches_a_manager_once(manager: ManagerProcess, connect_to: ConnectTo) -> None:
    api = connect_to(manager)
    cast_from_threads(api)
    poll(lambda: refused(api) >= THREADS * CASTS, "all casts are there")
    assert refused(api) == THREADS * CASTS


def test_an_old_manager_beside_a_new_manager_loses_no_cast(
    manager: ManagerProcess, connect_to: ConnectTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Repeated, so that both managers get casts.
    monkeypatch.setattr(casts, "ALONE_SECONDS", 0.0)
    api = connect_to(manager)
    with old_manager(manager) as old:
        cast_from_threads(api)
        poll(lambda: len(old.taken) > 0, "the old one has got some")
    poll(lambda: refused(api) + len(old.taken) >= THREADS * CASTS, "all casts are there")
    assert refused(api) + len(old.taken) == THREADS * CASTS
    assert len({(each["thread"], each["number"]) for each in old.taken}) == len(old.taken)


def test_casts_wait_for_the_next_manager(
    manager: ManagerProcess, connect_to: ConnectTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(casts, "ANSWER_SECONDS", 1)
    api = connect_to(manager)
    refused(api)
    manager.terminate()
    cast_from_threads(api)
    manager.start()
    manager.wait_ready()
    poll(lambda: refused(api) >= THREADS * CASTS, "all casts are there")
    assert refused(api) == THREADS * CASTS
