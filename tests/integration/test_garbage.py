"""Thousands of random broken messages, straight to the three intercell queues of a manager that works."""

from __future__ import annotations

from collections.abc import Iterator

import kombu
import pytest

from tests.integration import garbage
from tests.integration.processes import Tree
from tests.integration.rabbitmq import VirtualHostPool, amqp_url
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(180)]

QUEUES = tuple(f"cells.intercell.{topic_type}" for topic_type in garbage.TYPES)
GROWTH_KB = 6 * 1024
ROUNDS = 8


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool) -> Iterator[Tree]:
    tree = Tree(tmp_path_factory.mktemp("garbage"), {"api": {"east": {}}}, rabbitmq.take)
    try:
        yield tree.start()
    finally:
        tree.stop()


def test_thousands_of_broken_messages(tree: Tree) -> None:
    api = tree["api"]
    refused_before = refused(api)
    throw(api, seed=0, count=1000)

    assert api.running.poll() is None
    assert refused(api) - refused_before > 500
    highest_kb = resident_kb(tree)

    # Messages of 10 MB meet in different threads in every round, and each thread's first ones are allocated
    # for good: what tells a leak is that the memory grows in every round, by tens of megabytes.
    for seed in range(1, ROUNDS + 1):
        throw(api, seed, count=1000)
        now_kb = resident_kb(tree)
        if now_kb < highest_kb + GROWTH_KB:
            break
        highest_kb = now_kb
    else:
        pytest.fail(f"Each of {ROUNDS} rounds took more memory; after the last: {now_kb} kB")

    assert api.running.poll() is None
    assert api.status()["pending_calls"] == 0
    assert "Traceback" not in api.log()


def resident_kb(tree: Tree) -> int:
    """What the manager holds when no thread of it keeps a broken message: each keeps the last one that it read."""
    for _ in range(3):
        assert tree["east"].cells("ping", "api", "--count", "3").returncode == 0
        assert tree["east"].cells("broadcast", "ping", "--direction", "up").returncode == 0
        assert tree["api"].cells("ping", "east", "--count", "3").returncode == 0
    return tree["api"].rss_kb()


def throw(manager: ManagerProcess, seed: int, count: int) -> None:
    """Publish broken messages and wait until the manager has taken all of them."""
    with kombu.Connection(amqp_url(manager.transport_url)) as connection, connection.channel() as channel:
        for broken in garbage.stream(seed, count, manager.name):
            message = channel.prepare_message(
                broken.body, content_type=broken.content_type, content_encoding="utf-8", properties={}
            )
            # The default exchange reaches a queue by its name, whatever [DEFAULT] control_exchange is.
            channel.basic_publish(message, exchange="", routing_key=f"cells.intercell.{broken.topic_type}")

        def waiting() -> int:
            return sum(channel.queue_declare(queue, passive=True).message_count for queue in QUEUES)

        poll(lambda: waiting() == 0, "all are taken", timeout_seconds=60)


def refused(manager: ManagerProcess) -> int:
    """How many messages it says it has refused, failed or dropped."""
    counters = manager.status()["counters"]
    return sum(count for name, count in counters.items() if name.partition(".")[0] in ("rejected", "failed", "dropped"))
