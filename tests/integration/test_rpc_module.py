"""Functions of cells.rpc in one cell, and connections in processes of another cell, with managers between them."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kombu
import kombu.exceptions
import pytest
from oslo_config import cfg

import cells.rpc
from cells import exceptions
from tests.integration.processes import Tree
from tests.integration.rabbitmq import amqp_url
from tests.integration.transports import RabbitMQTransports, Transports
from tools.polling import poll

SCRIPT = Path(__file__).with_name("rpc_consumer.py")
ROOT = Path(__file__).parents[2]
#: Two hops from api.
FAR = "api!east!az1"
CONTEXT = {"user_id": "ada"}
#: Interval of the lookups of servers without a broker.
OPTIONS = {"oslo_messaging_zmq": {"matchmaker_heartbeat_freq": 1, "matchmaker_heartbeat_ttl": 5}}
EXCHANGE = "openstack"


class Consumer:
    """Process of a service of the cell az1."""

    def __init__(self, config_file: Path, *arguments: str) -> None:
        self._output = config_file.with_name(f"{'-'.join(arguments)}-{next(_NUMBERS)}.out")
        self._log = self._output.with_suffix(".log")
        with self._output.open("wb") as output, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(config_file), *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=log,
                cwd=ROOT,
            )

    def wait_ready(self) -> Consumer:
        poll(lambda: "ready" in self._lines() or self._check_alive(), "it consumes", 30.0, pause_seconds=0.02)
        return self

    @property
    def received(self) -> list[tuple[str, Any, str]]:
        """Return method, number and user of each message."""
        # A pool may deliver kept events before the consumer prints that it is ready.
        return [tuple(line) for line in self._lines() if line != "ready"]

    @property
    def numbers(self) -> list[int]:
        return [number for _, number, _ in self.received]

    def stop(self) -> int:
        """Stop the process in an orderly way; return its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(30)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()

    def log(self) -> str:
        return self._log.read_text()

    def _lines(self) -> list[Any]:
        text = self._output.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def _check_alive(self) -> None:
        assert self._process.poll() is None, self.log()


_NUMBERS = itertools.count()
Start = Callable[..., list[Consumer]]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, transports: Transports) -> Iterator[Tree]:
    tree = Tree(
        tmp_path_factory.mktemp("rpc"),
        {"api": {"east": {"az1": {}}}},
        transports.take,
        options=OPTIONS,
        cell_options={"az1": {"cells": {"allowed_services": "inventory*,changes*"}}},
    )
    try:
        yield tree.start()
    finally:
        tree.stop()


@pytest.fixture
def api(tree: Tree) -> Iterator[None]:
    """Initialize the functions of cells.rpc for a service in the cell api."""
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(service_file(tree, "api"))], project="service", default_config_dirs=[])
    cells.rpc.init(conf)
    yield
    cells.rpc.cleanup()


@pytest.fixture
def start(tree: Tree) -> Iterator[Start]:
    """Factory of consumer processes in az1, by kind, topic and name; stopped at the end."""
    started: list[Consumer] = []

    def start_all(*arguments: tuple[str, str, str]) -> list[Consumer]:
        consumers = [Consumer(service_file(tree, "az1"), *each) for each in arguments]
        started.extend(consumers)
        return [consumer.wait_ready() for consumer in consumers]

    yield start_all
    for consumer in started:
        consumer.kill()


def service_file(tree: Tree, cell: str) -> Path:
    """Return the configuration of a service of a cell: with its transport, without the manager's options."""
    path = tree[cell].config_file.with_name(f"{cell}-service.conf")
    zmq = {**OPTIONS["oslo_messaging_zmq"], **tree.transports[cell].options.get("oslo_messaging_zmq", {})}
    lines = [f"[DEFAULT]\ntransport_url = {tree.transports[cell].url}", "[oslo_messaging_zmq]"]
    lines += [f"{key} = {value}" for key, value in zmq.items()]
    path.write_text("\n".join([*lines, f"matchmaker_connection = {tree[cell].connection}", ""]))
    return path


def note(number: int) -> dict[str, Any]:
    return {"method": "note", "args": {"number": number}}


def send_until_heard(consumers: list[Consumer], send: Callable[[int], None]) -> None:
    """Send until each consumer has received a message, because lookups are periodic, and until the last has arrived."""
    numbers = itertools.count(-1, -1)

    def heard() -> bool:
        send(next(numbers))
        return all(consumer.received for consumer in consumers)

    poll(heard, "each consumer has received a message", pause_seconds=0.2)
    send(0)
    poll(lambda: any(0 in consumer.numbers for consumer in consumers), "the last part has arrived")


def test_consumers_share_calls_and_casts_and_fanout_consumers_copy(api: None, tree: Tree, start: Start) -> None:
    *sharing, copy, other_copy = start(
        ("consumer", "inventory", "one"),
        ("consumer", "inventory", "two"),
        ("fanout", "inventory", "-"),
        ("fanout", "inventory", "-"),
    )
    poll(lambda: {call(number) for number in range(4)} == {"one", "two"}, "both are found")
    # Without a broker, the manager finds new consumers periodically.
    send_until_heard(
        [copy, other_copy], lambda number: cells.rpc.fanout_cast(CONTEXT, "inventory", note(number), cell=FAR)
    )
    for number in range(100, 110):
        cells.rpc.cast(CONTEXT, "inventory", note(number), cell=FAR)

    def casts() -> list[int]:
        return sorted(number for consumer in sharing for number in consumer.numbers if number >= 100)

    poll(lambda: len(casts()) >= 10, "the casts arrive")
    assert casts() == list(range(100, 110))
    assert all(any(number >= 100 for number in consumer.numbers) for consumer in sharing)
    # Sharing consumers got no fan-outs, and fan-out consumers got only fan-outs.
    assert not [number for consumer in sharing for number in consumer.numbers if number < 0]
    assert all(number <= 0 for number in [*copy.numbers, *other_copy.numbers])
    assert {user for consumer in [*sharing, copy] for _, _, user in consumer.received} == {"ada"}
    assert list(cells.rpc.multicall(CONTEXT, "inventory", note(5), 10, cells=[FAR])) in ([(0, "one")], [(0, "two")])
    assert [consumer.stop() for consumer in [*sharing, copy, other_copy]] == [0] * 4
    assert "Traceback" not in "".join(consumer.log() for consumer in [*sharing, copy, other_copy])


def call(number: int) -> Any:
    return cells.rpc.call(CONTEXT, "inventory", note(number), 10, cell=FAR)


def test_a_topic_that_the_cell_does_not_allow(api: None, tree: Tree) -> None:
    with pytest.raises(exceptions.ServiceNotAllowed):
        cells.rpc.call(CONTEXT, "secrets", note(1), 10, cell=FAR)


def test_each_pool_gets_each_event_once(api: None, tree: Tree, start: Start) -> None:
    *billing, audit, other_topic = start(
        ("worker", "changes", "billing"),
        ("worker", "changes", "billing"),
        ("pool", "changes", "audit"),
        ("worker", "changes-of-others", "billing"),
    )
    everyone = [*billing, audit]
    send_until_heard(everyone, lambda number: cells.rpc.broadcast(CONTEXT, "changes", note(number)))
    for number in range(1, 21):
        cells.rpc.broadcast(CONTEXT, "changes", note(number), cells="down" if number % 2 else [FAR])

    def events(consumers: list[Consumer]) -> list[int]:
        return sorted(number for consumer in consumers for number in consumer.numbers if number > 0)

    poll(lambda: min(len(events(billing)), len(events([audit]))) >= 20, "both pools have all")
    assert events(billing) == events([audit]) == list(range(1, 21))
    assert all(events([worker]) for worker in billing)
    assert other_topic.received == []
    assert set(everyone[0].received[-1][::2]) == {"note", "ada"}


def test_worker_that_dies_of_an_event(api: None, tree: Tree, start: Start, transports: Transports) -> None:
    workers = start(("worker", "changes.deadly", "billing"), ("worker", "changes.deadly", "billing"))
    send_until_heard(workers, lambda number: cells.rpc.broadcast(CONTEXT, "changes.deadly", note(number), cells=[FAR]))
    cells.rpc.broadcast(CONTEXT, "changes.deadly", {"method": "hang", "args": {"number": 7}}, cells=[FAR])
    victim = poll(lambda: next((worker for worker in workers if 7 in worker.numbers), None), "one has it")
    victim.kill()
    (heir,) = (worker for worker in workers if worker is not victim)
    cells.rpc.broadcast(CONTEXT, "changes.deadly", note(8), cells=[FAR])
    poll(lambda: 8 in heir.numbers, "the other worker gets the next event")
    if isinstance(transports, RabbitMQTransports):
        # A broker keeps an unacknowledged message; without a broker the message died with its process.
        poll(lambda: ("hang", 7, "ada") in heir.received, "the other one has it")


def test_rabbitmq_keeps_events_only_for_existing_pools(
    api: None, tree: Tree, start: Start, transports: Transports
) -> None:
    if not isinstance(transports, RabbitMQTransports):
        # Without a broker there are no queues, which the rest of this test needs.
        cells.rpc.broadcast(CONTEXT, "changes.unheard", note(1), cells=[FAR])
        (late,) = start(("worker", "changes.unheard", "late"))
        send_until_heard(
            [late], lambda number: cells.rpc.broadcast(CONTEXT, "changes.unheard", note(number), cells=[FAR])
        )
        assert 1 not in late.numbers
        return
    url = tree.transports["az1"].url
    pool = f"events/{EXCHANGE}/changes.kept/billing"
    (worker,) = start(("worker", "changes.kept", "billing"))
    cells.rpc.broadcast(CONTEXT, "changes.unheard", note(1), cells=[FAR])
    cells.rpc.broadcast(CONTEXT, "changes.kept", note(1), cells=[FAR])
    poll(lambda: worker.numbers == [1], "the worker has it")
    assert worker.stop() == 0
    cells.rpc.broadcast(CONTEXT, "changes.kept", note(2), cells=[FAR])
    poll(lambda: queue(url, pool) == 1, "the queue of the pool keeps it")
    (again,) = start(("worker", "changes.kept", "billing"))
    poll(lambda: again.numbers == [2], "the next worker has it")
    assert again.stop() == 0
    with kombu.Connection(amqp_url(url)) as connection:
        connection.default_channel.queue_delete(pool)
    assert [queue(url, name) for name in (pool, "changes.unheard", "changes.unheard.info", "changes.kept.info")] == (
        [None] * 4
    )


def queue(url: str, name: str) -> int | None:
    """Return the number of messages in a queue; None if the queue does not exist."""
    with kombu.Connection(amqp_url(url)) as connection:
        try:
            return int(connection.default_channel.queue_declare(name, passive=True).message_count)
        except connection.channel_errors:
            return None
