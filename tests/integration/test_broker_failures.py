"""Failures of brokers: restart, shutdown, freeze, wrong password."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cells import exceptions
from cells.rpcapi import CellsAPI
from tests.integration import snooze
from tests.integration.clients import ConnectTo
from tests.integration.processes import Options, Tree
from tests.integration.rabbitmq import VirtualHostPool
from tools.broker_node import BrokerNode
from tools.free_ports import free_ports
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq

SEND_TIMEOUT_SECONDS = 3
CALL_TIMEOUT_SECONDS = 30
DURABLE: Options = {"oslo_messaging_rabbit": {"amqp_durable_queues": True}}
CASTS = 20
#: Allowance for a busy machine.  The waits are those of clients in this process: a command would add its start.
SLACK_SECONDS = 8


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool, own_broker: BrokerNode) -> Iterator[Tree]:
    """Tree with api and west on the machine's broker, east and az1 on a broker that the tests may break."""
    tree = Tree(
        tmp_path_factory.mktemp("brokers"),
        {"api": {"east": {"az1": {}}, "west": {}}},
        rabbitmq.take,
        urls={"east": own_broker.url("a"), "az1": own_broker.url("b")},
        options={"cells": {"call_timeout": CALL_TIMEOUT_SECONDS, "send_timeout": SEND_TIMEOUT_SECONDS}},
    )
    try:
        yield tree.start()
    finally:
        tree.stop()


@pytest.fixture(scope="module")
def api(tree: Tree, connect_to: ConnectTo) -> CellsAPI:
    """Client in api."""
    return connect_to(tree["api"])


def check_fails_fast(api: CellsAPI, cell: str) -> None:
    """Check that a call to ``cell`` fails in time, with an error that names the cell."""
    started = time.monotonic()
    with pytest.raises(exceptions.NeighborUnreachable) as caught:
        api.call({}, cell, "ping", {}, timeout=CALL_TIMEOUT_SECONDS)
    assert time.monotonic() - started < SEND_TIMEOUT_SECONDS + SLACK_SECONDS
    assert cell in str(caught.value)


def check_command_fails(manager: ManagerProcess, cell: str) -> None:
    """Check that a command shows that error to an operator."""
    done = manager.cells("call", cell, "ping")
    assert done.returncode == 2, done.stdout
    assert cell in done.stderr
    assert "Traceback" not in done.stderr


def works(manager: ManagerProcess, cell: str) -> bool:
    return manager.cells("call", cell, "ping", "--timeout", "5").returncode == 0


def check_others_are_fast(api: CellsAPI) -> None:
    """Check that calls to a cell behind another broker are still fast."""
    started = time.monotonic()
    assert api.call({}, "west", "ping", {})["name"] == "west"
    assert time.monotonic() - started < SLACK_SECONDS


@pytest.mark.parametrize("problem", ["wrong-password", "closed-port"])
def test_neighbor_that_cannot_be_reached(tree: Tree, api: CellsAPI, rabbitmq: VirtualHostPool, problem: str) -> None:
    manager = tree["api"]
    [port] = free_ports(1)
    urls = {
        "wrong-password": rabbitmq.take().replace("guest:guest@", "guest:sesame@"),
        "closed-port": f"rabbit://guest:sesame@127.0.0.1:{port}/",
    }
    manager.add_neighbor(problem, "child", urls[problem])
    try:
        manager.hup()
        poll(lambda: problem in manager.cells("topology").stdout, "the neighbor is known")
        check_fails_fast(api, problem)
        check_others_are_fast(api)
        check_command_fails(manager, problem)
        assert "sesame" not in manager.log()
        poll(lambda: "unreachable" in manager.cells("neighbor", "status").stdout, "it is shown as unreachable")
    finally:
        manager.succeed("neighbor", "delete", problem)
        manager.hup()
    poll(lambda: problem not in manager.cells("topology").stdout, "the neighbor is forgotten")


def test_a_frozen_broker_delays_no_other_cell(tree: Tree, api: CellsAPI, own_broker: BrokerNode) -> None:
    own_broker.freeze()
    try:
        with ThreadPoolExecutor(3) as threads:
            waiting = [threads.submit(check_fails_fast, api, "east") for _ in range(3)]
            check_others_are_fast(api)
            for one in waiting:
                one.result()
        check_others_are_fast(api)
        check_command_fails(tree["api"], "east")
    finally:
        own_broker.thaw()
    poll(lambda: works(tree["api"], "api!east!az1"), "the tree works again", 60)


def test_broker_is_restarted_and_no_process_with_it(tree: Tree, api: CellsAPI, own_broker: BrokerNode) -> None:
    processes = [manager.running.pid for manager in tree]
    own_broker.stop()
    try:
        check_fails_fast(api, "east")
        check_others_are_fast(api)
        check_command_fails(tree["api"], "east")
    finally:
        own_broker.start().wait_ready()
    poll(lambda: works(tree["api"], "api!east!az1"), "down works again", 60)
    poll(lambda: works(tree["az1"], "api!west"), "up works again", 60)
    tree.wait_formed(60)
    assert [manager.running.pid for manager in tree] == processes
    assert all(manager.running.poll() is None for manager in tree)


def waiting(broker: BrokerNode, virtual_host: str) -> int:
    """Return the number of requests that wait for managers in a virtual host."""
    listed = broker.control("list_queues", "-p", virtual_host, "name", "messages_ready")
    counts = dict(line.split("\t") for line in listed.splitlines() if "\t" in line)
    return int(counts.get("cells.intercell.targeted", 0))


def test_casts_for_a_stopped_neighbor_survive_a_restart_of_its_durable_broker(
    tmp_path: Path, rabbitmq: VirtualHostPool, own_broker: BrokerNode, connect_to: ConnectTo
) -> None:
    """Case C7: the broker has confirmed them, and keeps them."""
    tree = Tree(
        tmp_path,
        {"api": {"east": {}}},
        rabbitmq.take,
        urls={"east": own_broker.url("c")},
        cell_options={"east": DURABLE},
        env=snooze.install(tmp_path / "packages"),
    )
    ran = tmp_path / "ran"
    try:
        tree.start()
        tree["east"].stop()
        api = connect_to(tree["api"])
        for _ in range(CASTS):
            api.cast({}, "api!east", "snooze", {"seconds": 0, "mark": str(ran)})
        poll(lambda: waiting(own_broker, "c") >= CASTS, "the broker has them")
        own_broker.stop()
        own_broker.start().wait_ready()
        tree["east"].start(tree.env).wait_ready()
        poll(lambda: ran.exists() and len(ran.read_text().splitlines()) >= CASTS, "all of them run", 60)
        assert len(ran.read_text().splitlines()) == CASTS
    finally:
        tree.stop()
