"""Casts of services while a direct link is reconnecting: their callers have a true outcome within their timeout."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

import cells.rpc
from cells import deadlines
from cells.manager import health_report
from cells.testing import CellTree
from tests.thorough import cases
from tools.polling import poll

#: of a caller; far less than reconnect_wait
TIMEOUT_SECONDS = 2.0
SHAPE = {"api": {"east": {}, "west": {}}}
#: addressed cells
ONE: dict[str, Any] = {"cell": "east"}
LIST_OF_ONE: dict[str, Any] = {"cells": ["east"]}
TWO: dict[str, Any] = {"cells": ["east", "west"]}


class Inventory:
    """Service that is never reached."""

    def take(self, ctxt: Any) -> None: ...


@pytest.fixture
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE, links="direct") as tree:
        for name in ("east", "west"):
            tree[name].serve("inventory", Inventory())
        tree["east"].stop()
        poll(lambda: link(tree)["state"] == "reconnecting", "east is away")
        yield tree


def link(tree: CellTree) -> dict[str, Any]:
    [found] = [one for one in tree["api"].managers[0].manager.neighbors({}) if one["name"] == "east"]
    return dict(found["link"])


def losses(tree: CellTree) -> dict[str, int]:
    return {name: count for name, count in tree["api"].managers[0].cell.losses.as_dict().items() if "east" in name}


@pytest.mark.parametrize(
    ("kind", "where"),
    cases(
        itertools.product(["cast", "broadcast"], [ONE, LIST_OF_ONE, TWO]),
        [("cast", ONE), ("cast", LIST_OF_ONE), ("broadcast", TWO)],
    ),
    ids=str,
)
@pytest.mark.usefixtures("wide_margins")
def test_the_caller_hears_in_time_that_the_message_waits(tree: CellTree, where: dict[str, Any], kind: str) -> None:
    client = tree["api"].client("inventory", timeout=TIMEOUT_SECONDS).prepare(**where)
    began_at = time.monotonic()
    with pytest.raises(cells.rpc.MessageDeliveryFailure) as caught:
        getattr(client, kind)({}, "take")
    # The manager has answered before the client gave up: its own timeout would be another class.
    assert time.monotonic() - began_at >= deadlines.shrink(TIMEOUT_SECONDS)
    assert caught.value.may_arrive
    assert link(tree)["queue"]["request"]["messages"] == 1
    assert link(tree)["oldest_seconds"] > 0.0
    service = tree["api"].managers[0]
    assert [line.split()[0] for line in health_report.queues(service.cell, service.links)] == ["east:", "west:"]
    # If the neighbor does not come back, nobody hears of the loss but the ledger.
    tree["api"].stop()
    assert sum(count for name, count in losses(tree).items() if name.endswith((".lost", ".may_have_arrived"))) == 1
    assert losses(tree).get("east.service_cast.in_flight", 0) == 0
