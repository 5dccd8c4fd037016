"""What operators are shown of broken links, over a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import OPTIONS, Tree
from tests.integration.rabbitmq import VirtualHostPool
from tools.manager_process import READY, ManagerProcess
from tools.polling import poll

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(180)]


@pytest.fixture
def tree(tmp_path: Path, rabbitmq: VirtualHostPool) -> Iterator[Tree]:
    tree = Tree(tmp_path, {"api": {"east": {}}}, rabbitmq.take)
    try:
        yield tree.start()
    finally:
        tree.stop()


def seen(by: ManagerProcess, name: str) -> dict[str, Any]:
    """Return the row of a neighbor in ``cells neighbor status``."""
    answer = by.cells("neighbor", "status", "-f", "json", "--timeout", "30")
    found = [row for row in answer.json() if row["name"] == name] if answer.returncode in (0, 1) else []
    return found[0] if found else {}


def test_a_dead_child_is_silent_and_the_remedy_is_named(tree: Tree) -> None:
    """Cases D1 and D5."""
    api = tree["api"]
    assert (seen(api, "east")["way"], seen(api, "east")["answered_by"]) == ("both", "east")
    tree["east"].kill9()
    poll(lambda: "start cells-manager" in (seen(api, "east").get("problem") or ""), "east is known to be dead")
    row = seen(api, "east")
    assert (row["state"], row["way"]) == ("silent", "none")
    assert row["unanswered"] >= 1
    shown = api.cells("topology")
    assert (shown.returncode, "east (silent)" in shown.stdout) == (1, True)
    tree["east"].start().wait_ready()
    poll(lambda: seen(api, "east").get("state") == "up", "east answers again")
    assert api.cells("neighbor", "status").returncode == 0


def test_a_registration_on_one_side_is_named_on_both(tree: Tree) -> None:
    """Case D2."""
    api, east = tree["api"], tree["east"]
    east.succeed("neighbor", "delete", "api")
    east.hup()
    poll(lambda: "--type parent" in (seen(api, "east").get("problem") or ""), "api names the registration in east")
    poll(lambda: seen(east, "api").get("state") == "unregistered", "east names the cell that it does not know")
    assert "cells neighbor create api" in seen(east, "api")["problem"]


def test_two_cells_on_one_virtual_host(tree: Tree, tmp_path: Path) -> None:
    """Case D4."""
    west = ManagerProcess(tmp_path / "west", "west", tree["east"].transport_url, options=OPTIONS)
    west.sync_database()
    try:
        west.start()
        poll(lambda: "[DEFAULT] transport_url" in west.log(), "west finds a manager of east on its topic")
        assert READY not in west.log()
        assert "east" in west.log()
        refused = west.cells("status")
        assert (refused.returncode, "cell east" in refused.stderr) == (2, True)
    finally:
        west.kill()
