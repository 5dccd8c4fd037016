"""Duplicate messages run once, for services and endpoints, and the caller gets one answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import cells.rpc
from cells.testing import CellTree
from tests.functional.cell_tree import TIMEOUT_SECONDS, wait_for


class Bank:
    def __init__(self) -> None:
        self.paid: list[int] = []

    def pay(self, ctxt: dict[str, Any], amount: int) -> int:
        self.paid.append(amount)
        return amount


@pytest.fixture
def tree() -> Iterator[CellTree]:
    with CellTree({"api": {"east": {"az1": {}}}}) as tree:
        yield tree


@pytest.fixture
def bank(tree: CellTree) -> Bank:
    bank = Bank()
    tree["az1"].serve("bank", bank)
    return bank


def client(tree: CellTree, **options: Any) -> Any:
    return tree["api"].client("bank", timeout=TIMEOUT_SECONDS, **options).prepare(cell="az1")


def dropped(tree: CellTree, cell: str) -> int:
    return tree[cell].managers[0].counters.as_dict().get("dropped.duplicate", 0)


def test_calls_and_casts_over_links_that_duplicate_everything(tree: CellTree, bank: Bank) -> None:
    for ends in (("api", "east"), ("east", "az1")):
        tree.link(*ends).duplicate()
    assert [client(tree).call({}, "pay", amount=amount) for amount in range(5)] == list(range(5))
    client(tree).cast({}, "pay", amount=5)
    # Two copies on the first link become four on the second.
    wait_for(lambda: dropped(tree, "az1") == 6 * 3, "all copies were dropped")
    wait_for(lambda: len(bank.paid) == 6, "the cast runs as well")
    assert bank.paid == list(range(6))
    assert dropped(tree, "east") == dropped(tree, "api") == 0


def test_a_multicall_over_links_that_duplicate_everything(tree: CellTree, bank: Bank) -> None:
    for ends in (("api", "east"), ("east", "az1")):
        tree.link(*ends).duplicate()
    answers = tree["api"].client("bank", timeout=TIMEOUT_SECONDS).prepare(cells=["az1"]).multicall({}, "pay", amount=1)
    assert list(answers) == [("az1", 1)]
    assert bank.paid == [1]


def test_a_broadcast_cast_over_links_that_duplicate_everything(tree: CellTree, bank: Bank) -> None:
    for ends in (("api", "east"), ("east", "az1")):
        tree.link(*ends).duplicate()
    tree["api"].client("bank", timeout=TIMEOUT_SECONDS).prepare(cells="down").cast({}, "pay", amount=1)
    wait_for(lambda: dropped(tree, "az1") == 3, "all copies were dropped")
    wait_for(lambda: bank.paid, "it runs")
    assert bank.paid == [1]


def test_a_call_that_is_sent_again_after_an_error_runs_once(tree: CellTree, bank: Bank) -> None:
    link = tree.link("east", "az1").cut()
    restoring = threading.Timer(0.1, link.restore)
    restoring.start()
    assert client(tree).call({}, "pay", amount=1) == 1
    restoring.join()
    assert bank.paid == [1]


def test_the_number_of_retries_is_the_given_number(tree: CellTree, bank: Bank) -> None:
    def undelivered() -> int:
        return tree["east"].managers[0].counters.as_dict().get("undelivered.NeighborUnreachable", 0)

    link = tree.link("east", "az1")
    before = undelivered()
    with link.cut(), pytest.raises(cells.rpc.MessageDeliveryFailure):
        client(tree, retry=1).call({}, "pay", amount=1)
    assert undelivered() - before == 2
    assert bank.paid == []
