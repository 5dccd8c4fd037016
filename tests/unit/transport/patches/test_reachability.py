"""Patch reachability: if the own broker is down, a call fails within its timeout."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import oslo_messaging
import pytest

import cells.rpc
from cells import conf as cells_conf
from cells.transport import open_transport
from cells.transport.patches.reachability import reach, retries_within
from tests.cases import each

SLACK_SECONDS = 10.0


@each(
    ("seconds", "retry", "retries"),
    [
        *((seconds, None, 1) for seconds in (0.3, 3.0)),
        *((60.0, retry, retries) for retry, retries in ((None, 7), (-1, 7), (2, 2), (0, 0))),
        *((4.0, 100, 2), (0.3, 0, 0)),
    ],
)
def test_retries_that_have_room_in_the_time(seconds: float, retry: int | None, retries: int) -> None:
    assert retries_within(seconds, retry) == retries


def test_driver_that_ends_in_time_by_itself_is_left_alone() -> None:
    transport = open_transport(cells_conf.load([]), "zmq+ipc:///nowhere")
    try:
        assert [reach(transport, 60.0, retry) for retry in (None, -1, 3)] == [None, -1, 3]
    finally:
        transport.cleanup()


def test_the_configuration_can_switch_it_off() -> None:
    conf = cells_conf.load([])
    conf.set_override("disabled_patches", ["reachability"], group="cells")
    transport = open_transport(conf, "rabbit://nowhere/")
    try:
        assert reach(transport, 60.0, None) is None
    finally:
        transport.cleanup()


@pytest.fixture
def client() -> Iterator[cells.rpc.RPCClient]:
    """A client in a cell whose broker is down."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        transport = open_transport(cells_conf.load([]), f"rabbit://guest:guest@127.0.0.1:{nobody.getsockname()[1]}/")
        try:
            yield cells.rpc.get_rpc_client(transport, oslo_messaging.Target(topic="inventory"), timeout=1)
        finally:
            # Whoever has given up holds nothing that this would wait for.
            transport.cleanup()


ASK: dict[str, Callable[[Any], object]] = {
    "call": lambda client: client.prepare(cell="east").call({}, "count"),
    "cast": lambda client: client.prepare(cell="east").cast({}, "count"),
    "multicall": lambda client: client.prepare(cells="down").multicall({}, "count"),
    "broadcast": lambda client: client.prepare(cells="down").cast({}, "count"),
}


def test_broker_that_is_away(client: cells.rpc.RPCClient) -> None:
    def ask(how: str, retry: int | None) -> tuple[float, str]:
        started = time.monotonic()
        with pytest.raises(cells.rpc.MessageDeliveryFailure) as caught:
            ASK[how](client.prepare(retry=retry))
        return time.monotonic() - started, str(caught.value)

    # All at once: half of them take as long as their time.
    cases = list(itertools.product(ASK, [None, 0]))
    with futures.ThreadPoolExecutor(len(cases)) as pool:
        asked = {case: pool.submit(ask, *case) for case in cases}
    for (how, retry), answer in asked.items():
        seconds, message = answer.result()
        assert seconds < (1 if retry is None else 0) + SLACK_SECONDS, how
        assert "broker" in message, how
