"""A mailbox: neighbors send to a virtual host that is not the bus of the cell."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import amqp  # type: ignore[import-untyped]  # it has none
import pytest

from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from cells.transport import rabbitmq as plain
from cells.transport.url import BrokerHost
from tests.integration.permissions_guide import API, EAST, MAILBOX, login_url, passwords
from tests.integration.probe import TOPIC
from tests.integration.processes import OPTIONS, Tree, make_manager, merged
from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.service_process import PROBE, Services
from tests.integration.transports import CellTransport
from tools.broker_node import BrokerNode
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq

__all__ = ["passwords"]

#: The virtual host of the cell az1.
AZ1 = "d"
TIMEOUT_SECONDS = 15.0
QUEUE = "cells.intercell.targeted"


def mailbox(url: str, *, is_migration: bool = False) -> dict[str, dict[str, object]]:
    return {"cells": {"mailbox_url": url, "mailbox_migration": is_migration}}


@pytest.fixture(scope="module")
def deployment(
    own_broker: BrokerNode, passwords: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """Three cells; the one in the middle has a mailbox, with the users of the guide."""
    directory = tmp_path_factory.mktemp("mailbox")

    def url(user: str, virtual_host: str) -> str:
        return login_url(own_broker, virtual_host, user, passwords)

    east = CellTransport(
        own_broker.url(EAST), url("east-mailbox-for-api", MAILBOX), mailbox(url("east-manager", MAILBOX))
    )
    others = [CellTransport(own_broker.url(name), own_broker.url(name), {}) for name in (API, AZ1)]
    transports = iter([others[0], east, others[1]])
    tree = Tree(
        directory / "managers",
        {"api": {"east": {"az1": {}}}},
        lambda: next(transports),
        options={"cells": {"allowed_services": TOPIC}},
    )
    services = Services(directory, tree, transports=None)  # type: ignore[arg-type]  # not used here
    try:
        tree.start()
        for cell in ("api", "east", "az1"):
            services.begin(PROBE, cell).wait_ready()
        yield services
    finally:
        services.stop()
        tree.stop()


@pytest.mark.parametrize(("source", "target"), [("api", "api!east"), ("az1", "api!east"), ("az1", "api")])
def test_calls_arrive_at_the_mailbox_and_pass_it(deployment: Services, source: str, target: str) -> None:
    api = CellsAPI(deployment.transport(source), timeout=TIMEOUT_SECONDS)
    assert api.call(get_admin_context(), target, "ping")["path"] == target
    client = deployment.client(source, TOPIC, timeout=TIMEOUT_SECONDS)
    assert client.prepare(cell=target).call({}, "echo", value=1)["host"] == target.rpartition("!")[2]


def test_answers_to_the_cell_come_through_its_manager(deployment: Services) -> None:
    client = deployment.client("east", TOPIC, timeout=TIMEOUT_SECONDS)
    for target in ("api", "api!east!az1"):
        assert client.prepare(cell=target).call({}, "echo", value=1)["host"] == target.rpartition("!")[2]
    for neighbor in ("api", "az1"):
        status = deployment.tree[neighbor].succeed("status", "-f", "json").json()
        assert not {"shortcut", "undelivered.ClientGone"} & set(status["counters"])


def test_casts_and_broadcasts_arrive_at_the_mailbox(deployment: Services, tmp_path: Path) -> None:
    api = CellsAPI(deployment.transport("api"), timeout=TIMEOUT_SECONDS)
    answers = api.broadcast_call(get_admin_context(), "ping")
    assert {answer.cell for answer in answers if answer.error is None} == {"api", "api!east", "api!east!az1"}
    mark = tmp_path / "mark"
    deployment.client("api", TOPIC).prepare(cell="api!east").cast({}, "note", mark=str(mark))
    poll(mark.exists, "the cast arrives", TIMEOUT_SECONDS)


def test_status_shows_the_mailbox_without_its_password(deployment: Services, passwords: dict[str, str]) -> None:
    done = deployment.tree["east"].succeed("status", "-f", "json")
    assert list(done.json()["receives"]) == ["[cells] mailbox_url"]
    assert "east-manager:***@" in done.stdout
    assert passwords["east-manager"] not in done.stdout + deployment.tree["east"].log()


def test_a_neighbor_cannot_log_in_to_the_bus_of_the_cell(
    own_broker: BrokerNode, deployment: Services, passwords: dict[str, str]
) -> None:
    user = "east-mailbox-for-api"
    host = BrokerHost("127.0.0.1", own_broker.port, user, passwords[user])
    with plain.login(host, MAILBOX):
        pass
    with pytest.raises((amqp.NotAllowed, amqp.AccessRefused)), plain.login(host, EAST):
        pass


def test_the_own_bus_has_no_queue_for_neighbors(own_broker: BrokerNode, deployment: Services) -> None:
    assert QUEUE in own_broker.control("list_queues", "-p", MAILBOX, "name")
    assert "cells.intercell" not in own_broker.control("list_queues", "-p", EAST, "name")


def test_a_mailbox_that_comes_later_is_named_and_awaited(
    own_broker: BrokerNode, rabbitmq: VirtualHostPool, tmp_path: Path
) -> None:
    bus, later = rabbitmq.take(), own_broker.url(API).replace(f"/{API}", "/later")
    manager = make_manager(tmp_path, "south", CellTransport(bus, later, {}), options=merged(OPTIONS, mailbox(later)))
    manager.sync_database()
    manager.start()
    try:
        poll(lambda: "[cells] mailbox_url" in manager.log(), "the mailbox is named", 60)
        assert " is ready " not in manager.log()
        own_broker.control("add_vhost", "later")
        own_broker.control("set_permissions", "-p", "later", "guest", ".*", ".*", ".*")
        manager.wait_ready()
    finally:
        manager.kill()


def test_during_a_migration_both_are_read(rabbitmq: VirtualHostPool, tmp_path: Path) -> None:
    """The rows for east in api still lead to the bus of east, those in az1 to the mailbox."""
    bus, box = rabbitmq.take(), rabbitmq.take()
    transports = iter(
        [rabbitmq.take(), CellTransport(bus, bus, mailbox(box, is_migration=True)), rabbitmq.take()],
    )
    tree = Tree(tmp_path, {"api": {"east": {"az1": {}}}}, lambda: next(transports))
    try:
        tree.prepare()
        tree["az1"].succeed("neighbor", "set", "east", "--transport-url", box)
        for manager in tree:
            manager.start()
        tree.wait_formed()
    finally:
        tree.stop()


@pytest.mark.parametrize("is_mailbox_brokerless", [True, False])
def test_one_of_the_two_may_be_brokerless(
    rabbitmq: VirtualHostPool, tmp_path: Path, is_mailbox_brokerless: bool
) -> None:
    # A short path, because the path of a socket is limited to about 100 characters.
    with tempfile.TemporaryDirectory(prefix="cells-") as sockets:
        options = {"oslo_messaging_zmq": {"ipc_dir": sockets}}
        if is_mailbox_brokerless:
            east = CellTransport(rabbitmq.take(), f"zmq+ipc://{sockets}", {**options, **mailbox("zmq:///")})
        else:
            box = rabbitmq.take()
            east = CellTransport("zmq:///", box, {**options, **mailbox(box)})
        transports = iter([rabbitmq.take(), east])
        tree = Tree(tmp_path, {"api": {"east": {}}}, lambda: next(transports))
        try:
            tree.start()
        finally:
            tree.stop()
