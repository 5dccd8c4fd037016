"""The pages of a real manager on RabbitMQ: numbers, and a health that tells a blocked broker from a hung manager."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.processes import OPTIONS, make_manager, merged
from tests.integration.transports import CellTransport
from tools.broker_node import BrokerNode
from tools.free_ports import free_ports
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq

#: The broker is blocked, the check has its time, and the machine is busy.
SOON_SECONDS = 20


@pytest.fixture(scope="module")
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        opened.bind(str(tmp_path_factory.mktemp("systemd") / "notify"))
        opened.settimeout(30)
        yield opened


@pytest.fixture(scope="module")
def manager(
    tmp_path_factory: pytest.TempPathFactory, own_broker: BrokerNode, port: int, systemd: socket.socket
) -> Iterator[ManagerProcess]:
    url = own_broker.url("a")
    options = merged(OPTIONS, {"cells_metrics": {"listen": f"127.0.0.1:{port}"}})
    manager = make_manager(tmp_path_factory.mktemp("metrics"), "api", CellTransport(url, url, {}), options=options)
    manager.sync_database()
    manager.add_neighbor("east", "child", own_broker.url("b"))
    try:
        manager.start({"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "3000000"})
        yield manager.wait_ready()
    finally:
        manager.stop()


def get(port: int, page: str) -> tuple[int, Any]:
    """Return the status and the text of a page, or the JSON of the pages about health."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read()
    return status, text.decode() if page == "metrics" else json.loads(text)


def test_numbers(manager: ManagerProcess, port: int) -> None:
    poll(lambda: get(port, "readyz")[0] == 200, "it is ready", SOON_SECONDS)
    status, text = get(port, "metrics")
    assert status == 200
    assert 'cells_link_state{direction="down",neighbor="east",state="up"} 0.0' in text.splitlines()
    assert "cells_ready 1.0" in text.splitlines()
    assert "process_resident_memory_bytes" in text


def test_a_blocked_broker_makes_the_manager_unready_and_leaves_it_alive(
    manager: ManagerProcess, own_broker: BrokerNode, port: int, systemd: socket.socket
) -> None:
    poll(lambda: get(port, "readyz")[0] == 200, "it is ready", SOON_SECONDS)
    with own_broker.blocked():
        poll(lambda: get(port, "readyz")[0] == 503, "it is not ready", SOON_SECONDS)
        reasons = get(port, "readyz")[1]["reasons"]
        assert "database" not in reasons
        assert any("broker" in reason for reason in reasons.values())
        assert get(port, "healthz")[0] == 200
        assert "cells_health 0.0" in get(port, "metrics")[1].splitlines()
        drain(systemd)
        assert systemd.recv(100) == b"WATCHDOG=1"
    poll(lambda: get(port, "readyz")[0] == 200, "it is ready again", 60)


def drain(systemd: socket.socket) -> None:
    systemd.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            systemd.recv(100)
    systemd.settimeout(30)


def test_a_report(manager: ManagerProcess) -> None:
    manager.signal(signal.SIGUSR2)
    poll(lambda: "Report: === end ===" in manager.log(), "the report is written", SOON_SECONDS)
    lines = [line for line in manager.log().splitlines() if "Report: " in line]
    assert any("east (child)" in line for line in lines)
    assert any("cells-deadlines" in line for line in lines)
    assert not any("guest" in line for line in lines)


def test_the_end_is_announced(manager: ManagerProcess, port: int, systemd: socket.socket) -> None:
    drain(systemd)
    manager.terminate()
    deadline = time.monotonic() + 30
    while systemd.recv(100) != b"STOPPING=1":
        assert time.monotonic() < deadline
