"""A thousand random broken messages, straight to the three intercell queues of a manager that works."""

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


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool) -> Iterator[Tree]:
    tree = Tree(tmp_path_factory.mktemp("garbage"), {"api": {"east": {}}}, rabbitmq.take)
    try:
        yield tree.start()
    finally:
        tree.stop()


def test_a_thousand_broken_messages(tree: Tree) -> None:
    api = tree["api"]
    # Twice through, so that what is allocated once, by each thread, is allocated.
    throw(api, seed=1, count=1000)
    throw(api, seed=2, count=1000)
    before = api.rss_kb()
    refused_before = refused(api)

    throw(api, seed=3, count=1000)

    assert api.running.poll() is None
    assert tree["east"].cells("ping", "api", "--count", "1").returncode == 0
    assert api.cells("ping", "east", "--count", "1").returncode == 0
    assert refused(api) - refused_before > 500

    def is_as_before() -> bool:
        # A thread keeps the last message that it read until it reads another one.
        assert tree["east"].cells("ping", "api", "--count", "1").returncode == 0
        assert tree["east"].cells("broadcast", "ping", "--direction", "up").returncode == 0
        return api.rss_kb() - before < GROWTH_KB

    poll(is_as_before, f"the memory is what it was, {before} kB", timeout_seconds=60)
    assert api.status()["pending_calls"] == 0
    assert "Traceback" not in api.log()


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
