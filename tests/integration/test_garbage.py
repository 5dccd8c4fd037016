"""Thousands of random broken messages to the three intercell topics of a running manager."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration import garbage
from tests.integration.processes import Tree
from tests.integration.transports import Transports
from tools.manager_process import ManagerProcess
from tools.polling import poll

GROWTH_KB = 6 * 1024
ROUNDS = 8


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, transports: Transports) -> Iterator[Tree]:
    tree = Tree(tmp_path_factory.mktemp("garbage"), {"api": {"east": {}}}, transports.take)
    try:
        yield tree.start()
    finally:
        tree.stop()


def test_thousands_of_broken_messages(tree: Tree, transports: Transports) -> None:
    api = tree["api"]

    def throw(seed: int) -> None:
        transports.publish(tree.transports["api"], garbage.stream(seed, 1000, "api"))

    refused_before = refused(api)
    throw(seed=0)

    poll(lambda: refused(api) - refused_before > 500, "they are refused")
    assert api.running.poll() is None
    highest_kb = resident_kb(tree)

    # Messages of 10 MB reach different threads in every round, and the memory of each thread's first ones is kept
    # forever: a leak shows as growth in every round, by tens of megabytes.
    for seed in range(1, ROUNDS + 1):
        throw(seed)
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
    """Return the manager's memory after each thread has replaced its last broken message, which it keeps."""
    for _ in range(3):
        assert tree["east"].cells("ping", "api", "--count", "3").returncode == 0
        assert tree["east"].cells("broadcast", "ping", "--direction", "up").returncode == 0
        assert tree["api"].cells("ping", "east", "--count", "3").returncode == 0
    return tree["api"].rss_kb()


def refused(manager: ManagerProcess) -> int:
    """Return the manager's count of refused, failed and dropped messages."""
    counters = manager.status()["counters"]
    return sum(count for name, count in counters.items() if name.partition(".")[0] in ("rejected", "failed", "dropped"))
