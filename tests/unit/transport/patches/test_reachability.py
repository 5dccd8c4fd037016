"""Patch reachability: requests end within their timeout while the own broker is down or silent."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import oslo_messaging
import pytest

import cells.rpc
from cells import conf as cells_conf
from cells.rpcapi import CellsAPI
from cells.transport import attempts, open_transport, time_limit
from cells.transport.patches.reachability import RequestLimits
from tests.cases import each
from tests.unit.transport.patches.kombu_broker import Broker, Resending

SLACK_SECONDS = 10.0


def test_driver_that_ends_in_time_by_itself_is_left_alone() -> None:
    transport = open_transport(cells_conf.load([]), "zmq+ipc:///nowhere")
    try:
        with RequestLimits(transport).within(60.0):
            assert not time_limit.is_set()
    finally:
        transport.cleanup()


def test_the_configuration_can_switch_it_off() -> None:
    conf = cells_conf.load([])
    conf.set_override("disabled_patches", ["reachability"], group="cells")
    transport = open_transport(conf, "rabbit://nowhere/")
    try:
        with RequestLimits(transport).within(60.0):
            assert not time_limit.is_set()
    finally:
        transport.cleanup()


def test_an_inner_limit_does_not_extend_an_outer_one() -> None:
    with time_limit.limit(30.0, 20.0):
        with time_limit.limit(60.0, 60.0):
            assert time_limit.seconds_to_answer() <= 30.0
            assert (time_limit.shorter(None) or 60.0) <= 20.0
            assert time_limit.shorter(5.0) == 5.0
        with time_limit.limit(0.0, 0.0), pytest.raises(TimeoutError):
            time_limit.shorter(5.0)
    assert not time_limit.is_set()
    assert time_limit.shorter(None) is None


@pytest.fixture
def client() -> Iterator[cells.rpc.RPCClient]:
    """A client in a cell whose broker is down."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        transport = open_transport(cells_conf.load([]), f"rabbit://guest:guest@127.0.0.1:{unused.getsockname()[1]}/")
        try:
            yield cells.rpc.get_rpc_client(transport, oslo_messaging.Target(topic="inventory"), timeout=1)
        finally:
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


@pytest.fixture
def silent_url() -> Iterator[str]:
    """URL of a broker that accepts connections and never answers, as a frozen one (cases B1 and B4)."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"rabbit://guest:guest@127.0.0.1:{silent.getsockname()[1]}/"


ASK_API: dict[str, Callable[[CellsAPI], object]] = {
    "call": lambda api: api.call({}, "east", "ping", timeout=0.6),
    "cast": lambda api: api.cast({}, "east", "ping"),
    "broadcast": lambda api: api.broadcast_cast({}, "ping"),
    "report": lambda api: api.report_capacities({}, {"slots": 1}),
    "status": lambda api: api.status({}),
}


@each("query", ["", "?ssl=true"])
def test_broker_that_does_not_answer(silent_url: str, query: str) -> None:
    """Case B1: each method ends at its timeout, with an error that names the broker."""
    transport = open_transport(cells_conf.load([]), silent_url + query)
    api = CellsAPI(transport, send_timeout=0.6)

    def ask(how: str) -> tuple[float, str]:
        started = time.monotonic()
        with pytest.raises(oslo_messaging.MessageDeliveryFailure) as caught:
            ASK_API[how](api)
        return time.monotonic() - started, str(caught.value)

    try:
        with futures.ThreadPoolExecutor(len(ASK_API)) as pool:
            asked = {how: pool.submit(ask, how) for how in ASK_API}
        for how, answer in asked.items():
            seconds, message = answer.result()
            assert seconds < SLACK_SECONDS, how
            assert silent_url.rpartition(":")[2] in message, how
    finally:
        transport.cleanup()


def test_a_request_that_is_sent_again_has_less_time() -> None:
    """Neither the receiver nor the broker gives it the time of the first attempt again (case C4)."""

    class Slow(Resending):
        """A broker whose connection breaks after a while."""

        def publish(self, message: Any, **options: Any) -> None:
            time.sleep(0.2)
            super().publish(message, **options)

    transport = open_transport(cells_conf.load([]), "rabbit://user:secret@host/a")
    limits, broker = RequestLimits(transport), Slow(ConnectionResetError("reset"))
    envelope = {"oslo.version": "2.0", "oslo.message": json.dumps({"method": "call", "args": {"timeout": 60.0}})}
    connection = broker.connect(transport)
    with limits.within(60.0), attempts.of_request({"timeout": 60.0}):
        connection.topic_send("openstack", "cells", envelope, timeout=60.0, retry=1)
    first, second = (sent["timeout"] for sent in broker.arguments)
    assert first == 60.0
    assert second < first
    assert (broker.expirations[1] or 0.0) < (broker.expirations[0] or 0.0) <= 60.0


def test_a_message_may_wait_longer_than_its_sender() -> None:
    """A manager that is restarted finds the casts of a batch, whose sender waits only for the broker."""
    transport = open_transport(cells_conf.load([]), "rabbit://user:secret@host/a")
    limits, broker = RequestLimits(transport), Resending(ConnectionResetError("reset"), times=0)
    envelope = {"oslo.version": "2.0", "oslo.message": json.dumps({"method": "cast_many", "args": {}})}
    connection = broker.connect(transport)
    with limits.within(10.0):
        connection.topic_send("openstack", "cells", envelope, timeout=3600.0)
    assert (broker.expirations[0] or 0.0) > 3000.0


SEND: dict[str, Callable[[Any], object]] = {
    "openstack": lambda connection: connection.topic_send("openstack", "cells", {}),
    "cells_fanout": lambda connection: connection.fanout_send("cells", {}),
    "": lambda connection: connection.direct_send("reply_1", {}),
}


@each("exchange", list(SEND))
def test_each_kind_of_message_passes_the_connection_of_a_client(exchange: str) -> None:
    """Requests, fan-outs and replies: a service that calls other cells also answers, over the same transport."""
    transport = open_transport(cells_conf.load([]), "rabbit://user:secret@host/a")
    limits, broker = RequestLimits(transport), Broker()
    SEND[exchange](broker.connect(transport))
    with limits.within(60.0):
        SEND[exchange](broker.connect(transport))
    assert broker.published == [exchange, exchange]
