"""The permissions of the administration guide: enough for managers, services and neighbors, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import amqp  # type: ignore[import-untyped]  # it has none
import oslo_messaging
import pytest

import cells.rpc
from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from cells.transport import rabbitmq
from cells.transport.url import BrokerHost
from tests.integration.permissions_guide import API, EAST, login_url, passwords
from tests.integration.probe import TOPIC
from tests.integration.processes import Tree
from tests.integration.service_process import PROBE, Services, write_configuration
from tests.integration.transports import CellTransport
from tools.broker_node import BrokerNode

pytestmark = pytest.mark.rabbitmq

__all__ = ["passwords"]

TIMEOUT_SECONDS = 15.0


@pytest.fixture(scope="module")
def deployment(
    own_broker: BrokerNode, passwords: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """Two cells; managers, neighbors and services of east use the users of the guide."""
    directory = tmp_path_factory.mktemp("permissions")

    def east_url(user: str) -> str:
        return login_url(own_broker, EAST, user, passwords)

    transports = iter(
        [
            CellTransport(own_broker.url(API), own_broker.url(API), {}),
            CellTransport(east_url("east-manager"), east_url("east-for-api"), {}),
        ]
    )
    tree = Tree(
        directory / "managers",
        {"api": {"east": {}}},
        lambda: next(transports),
        options={"cells": {"allowed_services": TOPIC}},
    )
    services = Services(directory, tree, transports=None)  # type: ignore[arg-type]  # not used here
    try:
        tree.start()
        for cell, url in (("api", own_broker.url(API)), ("east", own_broker.url(EAST))):
            write_configuration(directory / f"{cell}-services.conf", CellTransport(url, url, {}), "")
            services.begin(PROBE, cell).wait_ready()
        client = CellTransport(east_url("east-service"), "", {})
        write_configuration(directory / "client-services.conf", client, "")
        yield services
    finally:
        services.stop()
        tree.stop()


def test_the_manager_of_east_serves_its_neighbor(deployment: Services) -> None:
    api = CellsAPI(deployment.transport("api"), timeout=TIMEOUT_SECONDS)
    assert api.call(get_admin_context(), "api!east", "ping")["path"] == "api!east"
    answers = api.broadcast_call(get_admin_context(), "ping")
    assert {answer.cell for answer in answers if answer.error is None} == {"api", "api!east"}
    client = deployment.client("api", TOPIC, timeout=TIMEOUT_SECONDS)
    assert client.prepare(cell="api!east").call({}, "echo", value=1)["host"] == "east"


@pytest.mark.parametrize("name", ["api", "east"])
def test_cells_doctor_needs_no_further_permission(deployment: Services, name: str) -> None:
    examined = deployment.tree[name].cells("doctor", "--tree", "-f", "json")
    assert (examined.returncode, examined.json()["findings"]) == (0, [])


def test_a_service_of_east_calls_through_its_manager(deployment: Services) -> None:
    target = oslo_messaging.Target(topic=TOPIC, version="1.0")
    client = cells.rpc.get_rpc_client(deployment.transport("client"), target, timeout=TIMEOUT_SECONDS)
    assert client.prepare(cell="api").call({}, "echo", value=1)["host"] == "api"
    manager = CellsAPI(deployment.transport("client"), timeout=TIMEOUT_SECONDS)
    assert manager.call(get_admin_context(), "api", "ping")["path"] == "api"


@pytest.mark.parametrize(
    ("exchange", "key"), [("openstack", TOPIC), ("openstack", "cells"), ("", "cells"), ("cells_fanout", "cells")]
)
def test_a_neighbor_reaches_nothing_but_the_managers(
    own_broker: BrokerNode, deployment: Services, passwords: dict[str, str], exchange: str, key: str
) -> None:
    user = "east-for-api"
    with rabbitmq.login(BrokerHost("127.0.0.1", own_broker.port, user, passwords[user]), EAST) as connection:
        publish(connection, "openstack", "cells.intercell.targeted")
        with pytest.raises(amqp.AccessRefused):
            publish(connection, exchange, key)
        for refused in ("queue_declare", "basic_consume"):
            channel = connection.channel()
            with pytest.raises(amqp.AccessRefused):
                getattr(channel, refused)("cells.intercell.targeted")


def publish(connection: Any, exchange: str, key: str) -> None:
    """Publish a message that no manager can read, and wait for the confirmation."""
    channel = connection.channel()
    channel.confirm_select()
    channel.basic_publish_confirm(amqp.Message("{}"), exchange, key)
