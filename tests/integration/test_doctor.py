"""``cells doctor`` finds each fault that is planted in a tree of five cells, alone and within its time."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import kombu
import pytest

from cells.certificates import issuing
from cells.path import CellPath
from tests.integration.doctor_tree import SPARE, changed, doctor, node, tree, wait_until_well
from tests.integration.processes import OPTIONS, Tree
from tests.integration.rabbitmq import amqp_url
from tools.broker_node import BrokerNode
from tools.free_ports import free_ports
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = [pytest.mark.rabbitmq, pytest.mark.long, pytest.mark.timeout(600)]

__all__ = ["node", "tree"]


@pytest.fixture(autouse=True)
def _is_well(tree: Tree) -> Iterator[None]:
    """Each test ends with a tree that is well again."""
    yield
    for name in ("api", "east", "west"):
        wait_until_well(tree[name])


def write(directory: Path, text: str) -> Path:
    file = directory / "overrides.conf"
    file.write_text(text)
    return file


@contextlib.contextmanager
def silent_broker() -> Iterator[str]:
    """Accept connections and never answer; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_tree_without_a_fault_is_well(tree: Tree) -> None:
    examined = doctor(tree["api"], "--tree")
    assert (examined.status, examined.found) == (0, [])
    assert (examined.value["verdict"], examined.value["cell"]) == ("well", "api")
    assert all(check["is_finished"] for check in examined.value["checks"])
    text = tree["api"].cells("doctor")
    assert (text.returncode, text.stdout.startswith("well: ")) == (0, True)


# Links


def test_a_wrong_password(tree: Tree) -> None:
    with changed(tree["api"], "east", "--password", "wrong"):
        examined = doctor(tree["api"])
        assert (examined.status, examined.found) == (2, [("neighbor_login", "api", "east")])


def test_a_wrong_exchange(tree: Tree) -> None:
    with changed(tree["api"], "east", "--exchange", "nova"):
        poll(lambda: doctor(tree["api"]).status == 2, "the manager uses the new row", 60)
        assert doctor(tree["api"]).found == [("wrong_exchange", "api", "east")]


def test_a_low_cap(tree: Tree) -> None:
    with changed(tree["api"], "west", "--version-cap", "1.1"):
        poll(lambda: doctor(tree["api"]).status == 1, "the manager uses the new row", 60)
        assert doctor(tree["api"]).found == [("cap_too_low", "api", "west")]


def test_the_manager_of_a_child_is_down(tree: Tree) -> None:
    east, az1 = tree["east"], tree["az1"]
    az1.kill9()
    try:
        examined = doctor(east)
        assert (examined.status, examined.found) == (2, [("neighbor_manager_down", "api!east", "az1")])
        assert [one[0] for one in doctor(az1).found] == ["manager_down"]

        def is_reported() -> bool:
            """East probes az1 at an interval, and reports only what it has noticed."""
            return ("neighbor_manager_down", "api!east", "az1") in doctor(tree["api"], "--tree").found

        poll(is_reported, "east reports the silence of az1 to the cell above", 60)
    finally:
        az1.start().wait_ready()


def test_a_frozen_manager(tree: Tree) -> None:
    west = tree["west"]
    west.signal(signal.SIGSTOP)
    try:
        examined = doctor(tree["api"], "--tree")
        assert examined.status == 2
        assert ("neighbor_hangs", "api", "west") in examined.found
        assert ("cell_silent", "api!west!az2", "az2") in examined.found
        assert [one[0] for one in doctor(west).found] == ["manager_silent"]
    finally:
        west.signal(signal.SIGCONT)


def test_a_registration_on_one_side(tree: Tree, node: BrokerNode) -> None:
    api, west = tree["api"], tree["west"]
    west.succeed("neighbor", "delete", "api")
    west.hup()
    try:
        poll(lambda: doctor(west).status == 2, "api has sent to west", 60)
        assert doctor(west).found == [("one_way_registration", "west", "api")]
        assert doctor(api).found == [("neighbor_hangs", "api", "west")]
    finally:
        west.add_neighbor("api", "parent", node.url("api"))
        west.hup()


def test_two_children_with_one_name(tree: Tree, node: BrokerNode, tmp_path: Path) -> None:
    api = tree["api"]
    twin = ManagerProcess(tmp_path, "west", node.url(SPARE), host="twin", options=OPTIONS)
    twin.sync_database()
    twin.add_neighbor("api", "parent", node.url("api"))
    api.add_neighbor("twin", "child", node.url(SPARE))
    try:
        twin.start().wait_ready()
        api.hup()
        poll(lambda: "duplicate_name" in [one[0] for one in doctor(api).found], "api hears from both", 60)
        assert doctor(api).status == 2
    finally:
        twin.kill()
        api.succeed("neighbor", "delete", "twin")
        api.hup()


def test_a_full_queue(tree: Tree, node: BrokerNode) -> None:
    api, west = tree["api"], tree["west"]
    west.kill9()
    try:
        policy = '{"max-length": 3, "overflow": "reject-publish"}'
        node.control("set_policy", "-p", "west", "full", r"^cells\.intercell\.", policy, "--apply-to", "queues")
        with kombu.Connection(amqp_url(node.url("west"))) as connection:
            producer = connection.Producer()
            for kind in ("targeted", "broadcast"):
                for _ in range(5):
                    producer.publish("junk", routing_key=f"cells.intercell.{kind}")
        examined = doctor(api)
        assert (examined.status, examined.found) == (2, [("queue_full", "api", "west")])
    finally:
        node.control("clear_policy", "-p", "west", "full")
        for kind in ("targeted", "broadcast"):
            node.control("purge_queue", "-p", "west", f"cells.intercell.{kind}")
        west.start().wait_ready()


def test_a_neighbor_may_not_write(tree: Tree, node: BrokerNode) -> None:
    node.control("add_user", "reader", "secret")
    node.control("set_permissions", "-p", "west", "reader", "^$", "^$", ".*")
    with changed(tree["api"], "west", "--username", "reader", "--password", "secret"):
        poll(lambda: doctor(tree["api"]).status == 2, "the manager uses the new row", 60)
        assert doctor(tree["api"]).found == [("neighbor_permission", "api", "west")]


def test_the_broker_of_a_neighbor_accepts_and_never_answers(tree: Tree) -> None:
    with silent_broker() as address, changed(tree["api"], "west", "--transport-url", f"rabbit://u:p@{address}/v"):
        poll(lambda: doctor(tree["api"]).status == 2, "the manager uses the new row", 60)
        assert doctor(tree["api"]).found == [("neighbor_broker", "api", "west")]


def test_a_certificate_that_has_expired(tree: Tree, tmp_path: Path) -> None:
    api, file = tree["api"], tmp_path / "edge.crt"
    past = datetime.now(timezone.utc) - timedelta(days=100)
    file.write_text(issuing.self_signed(CellPath.parse("api!edge"), issuing.new_key(), now=past, days=50))
    created = api.cells(
        "neighbor", "create", "edge", "--type", "child", "--driver", "direct", "--dials-in", "--certificate", str(file)
    )
    assert created.returncode == 0, created.stderr
    try:
        examined = doctor(api)
        assert examined.status == 2
        assert ("certificate_unusable", "api", "edge") in examined.found
    finally:
        api.succeed("neighbor", "delete", "edge")
        api.hup()


# The cell itself, with a further configuration file for the command alone


def test_the_own_broker_accepts_and_never_answers(tree: Tree, tmp_path: Path) -> None:
    with silent_broker() as address:
        file = write(tmp_path, f"[DEFAULT]\ntransport_url = rabbit://u:p@{address}/v\n")
        examined = doctor(tree["api"], overrides=file)
    assert (examined.status, [one[0] for one in examined.found]) == (2, ["broker_silent"])


def test_the_own_broker_refuses_the_login(tree: Tree, node: BrokerNode, tmp_path: Path) -> None:
    for url, name in (
        (node.url("api").replace("guest:guest", "guest:wrong"), "broker_login"),
        (node.url("nowhere"), "virtual_host"),
        (f"rabbit://u:p@127.0.0.1:{free_ports(1)[0]}/v", "broker_unreachable"),
    ):
        examined = doctor(tree["api"], overrides=write(tmp_path, f"[DEFAULT]\ntransport_url = {url}\n"))
        assert (examined.status, [one[0] for one in examined.found]) == (2, [name])


def test_a_missing_permission_on_the_own_broker(tree: Tree, node: BrokerNode, tmp_path: Path) -> None:
    node.control("add_user", "weak", "secret")
    node.control("set_permissions", "-p", "api", "weak", "^reply_", ".*", ".*")
    url = node.url("api").replace("guest:guest", "weak:secret")
    examined = doctor(tree["api"], overrides=write(tmp_path, f"[DEFAULT]\ntransport_url = {url}\n"))
    assert (examined.status, examined.found) == (2, [("permission_missing", "api", "weak")])


def test_the_own_broker_lacks_memory(tree: Tree, node: BrokerNode) -> None:
    with node.blocked():
        examined = doctor(tree["api"])
        assert examined.status == 2
        assert "broker_blocked" in [one[0] for one in examined.found]


def test_a_consumer_that_gets_nothing(tree: Tree, node: BrokerNode) -> None:
    """The binding of a queue is deleted; the manager declares it again every 10 seconds."""
    api = tree["api"]
    queue = f"cells.intercell.targeted.{api.host}"

    def is_found() -> bool:
        with kombu.Connection(amqp_url(node.url("api"))) as connection, connection.channel() as channel:
            channel.queue_unbind(queue, "openstack", queue)
        return [one[0] for one in doctor(api).found] == ["consumer_deaf"]

    poll(is_found, "the consumer is found to be deaf", 60)


def test_a_database_that_is_gone(tree: Tree, tmp_path: Path) -> None:
    connection = f"postgresql+psycopg2://u:p@127.0.0.1:{free_ports(1)[0]}/cells"
    examined = doctor(tree["api"], overrides=write(tmp_path, f"[database]\nconnection = {connection}\n"))
    assert (examined.status, [one[0] for one in examined.found]) == (2, ["database_unavailable"])


def test_a_database_that_is_locked(tree: Tree) -> None:
    file = tree["api"].connection.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        examined = doctor(tree["api"])
        other.execute("ROLLBACK")
    assert examined.value["status"] in (0, 2)  # SQLite lets readers through in its WAL mode
    assert {one[0] for one in examined.found} <= {"database_unavailable"}


def test_a_misspelt_option(tree: Tree, tmp_path: Path) -> None:
    file = write(tmp_path, "[oslo_messaging_rabbit]\nrabbit_quorum_queues = true\n")
    examined = doctor(tree["api"], overrides=file)
    name = "[oslo_messaging_rabbit] rabbit_quorum_queues"
    assert (examined.status, examined.found) == (1, [("option_misspelt", "api", name)])


def test_queues_that_differ_from_the_configuration(tree: Tree, tmp_path: Path) -> None:
    file = write(tmp_path, "[oslo_messaging_rabbit]\nrabbit_quorum_queue = true\n")
    examined = doctor(tree["api"], overrides=file)
    assert {one[0] for one in examined.found} == {"queue_differs"}
    assert {one[2] for one in examined.found} >= {"cells", "cells.intercell.targeted"}
