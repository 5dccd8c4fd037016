"""Links to brokers of RabbitMQ whose cells have other options: nothing is declared there, no message harms another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import amqp  # type: ignore[import-untyped]  # it has none
import kombu
import pytest

from cells import conf as cells_conf
from cells import exceptions
from cells.drivers import rpc
from cells.drivers.base import DriverSettings
from cells.messages import MESSAGE_TYPES
from cells.neighbors.neighbor import Neighbor
from cells.transport.errors import refusal_in
from tests.cases import each
from tests.integration.processes import Options, Tree
from tests.integration.rabbitmq import VirtualHostPool, amqp_url
from tests.integration.transports import CellTransport
from tests.text_message import TextMessage

pytestmark = pytest.mark.rabbitmq

QUEUE = "cells.intercell.targeted"
MESSAGE = TextMessage("targeted", False, "{}")
TO_A_STOPPED_MANAGER = dataclasses.replace(MESSAGE, server="east-1", version="1.1")


@pytest.fixture
def east(rabbitmq: VirtualHostPool) -> Neighbor:
    """A neighbor on an empty virtual host."""
    return Neighbor("east", rabbitmq.take(), is_parent=False)


@pytest.fixture
def channel(east: Neighbor) -> Iterator[Any]:
    """A channel to the broker of the neighbor."""
    with kombu.Connection(amqp_url(east.transport_url)) as connection:
        yield connection.default_channel


@pytest.fixture
def api() -> Iterator[rpc.InterCellRPCAPI]:
    conf = cells_conf.load([])
    settings = DriverSettings(conf, "host", None, MESSAGE_TYPES)
    api = rpc.InterCellRPCAPI(settings)
    yield api
    api.close()


def declare(channel: Any, **bounds: object) -> None:
    """Declare the exchange of a cell with options that no sender has, and a manager's queue."""
    channel.exchange_declare("openstack", "topic", durable=True, auto_delete=False)
    channel.queue_declare(QUEUE, durable=True, auto_delete=False, arguments=bounds)
    channel.queue_bind(QUEUE, "openstack", QUEUE)


def exists(channel: Any, exchange: str) -> bool:
    try:
        channel.exchange_declare(exchange, "topic", passive=True)
    except amqp.NotFound:
        return False
    return True


def waiting(channel: Any) -> int:
    return int(channel.queue_declare(QUEUE, passive=True).message_count)


def test_a_message_declares_nothing_and_a_missing_exchange_is_unreachable(
    api: rpc.InterCellRPCAPI, east: Neighbor, channel: Any
) -> None:
    """Neither a message nor a fan-out creates an exchange with options of this cell (case A1)."""
    with pytest.raises(exceptions.NeighborUnreachable) as caught:
        api.send_message_to_cell(east, MESSAGE)
    assert not caught.value.may_arrive
    api.send_message_to_cell(east, TextMessage("targeted", True, "{}"))
    assert not exists(channel, "openstack")
    assert not exists(channel, f"{QUEUE}_fanout")
    # The connection that the broker refused a message on goes on with the next one.
    declare(channel)
    api.send_message_to_cell(east, MESSAGE)
    assert waiting(channel) == 1


def test_each_message_has_its_own_error_on_a_shared_connection(
    api: rpc.InterCellRPCAPI, east: Neighbor, channel: Any
) -> None:
    """A returned message is not reported as delivered, nor the next one as returned."""
    declare(channel)
    for _ in range(100):
        for _ in range(2):
            with pytest.raises(exceptions.ManagerGone):
                api.send_message_to_cell(east, TO_A_STOPPED_MANAGER)
        api.send_message_to_cell(east, MESSAGE)
    assert waiting(channel) == 100


def test_a_message_that_the_broker_refuses_concerns_no_other_message(
    api: rpc.InterCellRPCAPI, east: Neighbor, channel: Any
) -> None:
    """A full queue that refuses messages; the broker works."""
    declare(channel, **{"x-max-length": 1, "x-overflow": "reject-publish"})
    for _ in range(3):
        api.send_message_to_cell(east, MESSAGE)
        with pytest.raises(exceptions.DeliveryError) as caught:
            api.send_message_to_cell(east, MESSAGE)
        assert refusal_in(caught.value)
        assert channel.queue_purge(QUEUE) == 1


DURABLE: Options = {"oslo_messaging_rabbit": {"amqp_durable_queues": True}}
QUORUM: Options = {"oslo_messaging_rabbit": {"rabbit_quorum_queue": True, "rabbit_transient_quorum_queue": True}}


@pytest.mark.parametrize("first", ["api", "east"])
def test_cells_with_other_queues_start_in_any_order(tmp_path: Path, rabbitmq: VirtualHostPool, first: str) -> None:
    """Durable queues in one cell only, on empty virtual hosts (case A1)."""
    tree = Tree(tmp_path, {"api": {"east": {}}}, rabbitmq.take, cell_options={"api": DURABLE})
    (second,) = {"api", "east"} - {first}
    try:
        tree.prepare()
        tree[first].start()
        tree[first].wait_ready()
        assert tree[first].cells("ping", second, "--timeout", "5").returncode != 0
        tree[second].start()
        tree[second].wait_ready()
        tree.wait_formed()
        assert_answers(tree, "api", "east")
    finally:
        tree.stop()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool) -> Iterator[Tree]:
    tree = Tree(
        tmp_path_factory.mktemp("mixed"),
        {"api": {"east": {"az1": {}}}},
        rabbitmq.take,
        cell_options={"api": QUORUM, "az1": QUORUM},
    )
    try:
        yield tree.start()
    finally:
        tree.stop()


@each(("source", "target"), [("api", "east"), ("east", "api"), ("api", "az1"), ("az1", "api"), ("east", "az1")])
def test_cells_with_and_without_quorum_queues_work_together(mixed: Tree, source: str, target: str) -> None:
    """The options of one cell do not concern the brokers of its neighbors, in both directions (case A2)."""
    assert_answers(mixed, source, target)


def test_cells_with_other_exchanges_are_neighbors(tmp_path: Path, rabbitmq: VirtualHostPool) -> None:
    """Each row names the exchange of its neighbor; replies to clients take the same link (case A2)."""
    exchanges = {"api": "openstack", "east": "nova"}

    def transports() -> Iterator[CellTransport]:
        for exchange in exchanges.values():
            url = rabbitmq.take()
            options: Options = {"DEFAULT": {"control_exchange": exchange}}
            yield CellTransport(url, f"{url}?control_exchange={exchange}", options)

    taken = transports()
    tree = Tree(tmp_path, {"api": {"east": {}}}, lambda: next(taken))
    try:
        tree.start()
        assert_answers(tree, "api", "east")
        assert_answers(tree, "east", "api")
        for manager in tree:
            assert manager.cells("status", "-f", "json").json()["counters"]["shortcut"] > 0
    finally:
        tree.stop()


def assert_answers(tree: Tree, source: str, target: str) -> None:
    answer = tree[source].cells("call", tree.paths[target], "ping", "-f", "json").json()
    assert answer["path"] == tree.paths[target]
