"""``cells doctor`` and the management API of a RabbitMQ node of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import kombu
import pytest

from tests.integration.doctor_tree import doctor
from tests.integration.processes import OPTIONS
from tests.integration.rabbitmq import amqp_url
from tools import broker_node
from tools.broker_node import BrokerNode
from tools.free_ports import free_ports
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = [pytest.mark.rabbitmq, pytest.mark.long, pytest.mark.timeout(300)]

CELL = "api"


@pytest.fixture(scope="module")
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def node(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerNode]:
    """A node that serves the management API."""
    if not broker_node.is_installed():
        pytest.skip("no programs rabbitmq-server and rabbitmqctl")
    settings = [f"management.tcp.port = {port}", "management.tcp.ip = 127.0.0.1"]
    directory = tmp_path_factory.mktemp("rabbitmq")
    with BrokerNode(directory, [CELL], ["rabbitmq_management"], schedulers=1, settings=settings) as broker:
        broker.control("add_user", "monitor", "secret")
        broker.control("set_user_tags", "monitor", "monitoring")
        broker.control("set_permissions", "-p", CELL, "monitor", "^$", "^$", "^$")
        yield broker


@pytest.fixture(scope="module")
def api(node: BrokerNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerProcess]:
    manager = ManagerProcess(tmp_path_factory.mktemp("api"), CELL, node.url(CELL), options=OPTIONS)
    manager.sync_database()
    manager.start().wait_ready()
    yield manager
    manager.kill()


@pytest.fixture
def management(port: int, tmp_path: Path) -> Path:
    """A configuration file with the URL of the API."""
    file = tmp_path / "management.conf"
    file.write_text(f"[cells]\nmanagement_url = http://monitor:secret@127.0.0.1:{port}\n")
    return file


def test_a_cell_without_a_fault_is_well(api: ManagerProcess, management: Path) -> None:
    poll(lambda: doctor(api, overrides=management).found == [], "nothing is found", 60)


def test_queues_of_a_manager_that_is_gone_and_dead_letters(
    api: ManagerProcess, node: BrokerNode, management: Path
) -> None:
    orphan, letters = "cells.intercell.targeted.old-host", "letters"
    with kombu.Connection(amqp_url(node.url(CELL))) as connection, connection.channel() as channel:
        channel.queue_declare(orphan, durable=True, auto_delete=False)
        channel.queue_declare(letters, durable=True, auto_delete=False)
        channel.queue_declare(
            "stock",
            durable=True,
            auto_delete=False,
            arguments={"x-message-ttl": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": letters},
        )
        connection.Producer().publish("a letter", routing_key="stock")
        expected = [("dead_letters", CELL, letters), ("orphan_queue", CELL, orphan)]
        poll(lambda: sorted(doctor(api, overrides=management).found) == expected, "both are found", 60)
        assert doctor(api).found == [], "AMQP does not list queues"
        for queue in (orphan, letters, "stock"):
            channel.queue_delete(queue)
    poll(lambda: doctor(api, overrides=management).found == [], "nothing is found", 60)


def test_the_type_of_a_queue(api: ManagerProcess, management: Path) -> None:
    file = management.with_name("quorum.conf")
    file.write_text(f"{management.read_text()}[oslo_messaging_rabbit]\nrabbit_quorum_queue = true\n")
    examined = doctor(api, overrides=file)
    found = [one for one in examined.value["findings"] if one["subject"] == "cells"]
    assert [(one["name"], "type is 'classic'" in one["text"]) for one in found] == [("queue_differs", True)]


def test_an_api_that_refuses_the_user(api: ManagerProcess, management: Path) -> None:
    management.write_text(management.read_text().replace("secret", "wrong-password"))
    examined = doctor(api, overrides=management)
    assert examined.found == [("management_unusable", CELL, "[cells] management_url")]
    assert "wrong-password" not in str(examined.value)
