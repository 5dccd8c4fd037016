"""What operators are shown of broken links, over a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import OPTIONS, Options, Tree
from tests.integration.rabbitmq import VirtualHostPool
from tools.manager_process import READY, ManagerProcess
from tools.polling import poll

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(400)]


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


def states_of(by: ManagerProcess, name: str) -> list[str]:
    """Return the states of a neighbor in ``cells neighbor history``, the newest last."""
    return [row["state"] for row in by.cells("neighbor", "history", name, "-f", "json").json()]


def wait_for_problem(by: ManagerProcess, name: str, words: str) -> None:
    """Wait until ``cells neighbor status`` shows a problem of a neighbor that contains ``words``."""
    poll(lambda: words in (seen(by, name).get("problem") or ""), f"{by.name} shows {words} for {name}", 60)


def test_a_dead_child_is_silent_and_the_remedy_is_named(tree: Tree) -> None:
    """Case D1."""
    api = tree["api"]
    assert (seen(api, "east")["way"], seen(api, "east")["answered_by"]) == ("both", "east")
    tree["east"].kill9()
    wait_for_problem(api, "east", "start cells-manager")
    row = seen(api, "east")
    assert (row["state"], row["way"]) == ("silent", "none")
    assert row["unanswered"] >= 1
    tree["east"].start().wait_ready()
    poll(lambda: seen(api, "east").get("state") == "up", "east answers again", 60)
    assert api.cells("neighbor", "status").returncode == 0
    poll(lambda: states_of(api, "east")[-1:] == ["up"], "the history has the end of the outage", 60)
    assert states_of(api, "east")[-3:-1] == ["up", "silent"]


def test_the_tree_is_drawn_right_after_a_child_died(tree: Tree) -> None:
    """Case D5."""
    tree["east"].kill9()
    # On a loaded machine, a command needs more than the 5 seconds of its default timeout.
    drawn = tree["api"].cells("topology", "--timeout", "12")
    assert (drawn.returncode, drawn.stdout.splitlines()) == (1, ["api *", "└── east (silent)"])


def test_a_registration_on_one_side_is_named_on_both(tree: Tree) -> None:
    """Case D2."""
    api, east = tree["api"], tree["east"]
    east.succeed("neighbor", "delete", "api")
    east.hup()
    wait_for_problem(api, "east", "--type parent")
    poll(lambda: seen(east, "api").get("state") == "unregistered", "east names the cell that it does not know", 60)
    assert "cells neighbor create api" in seen(east, "api")["problem"]


def test_two_cells_on_one_virtual_host(tree: Tree, tmp_path: Path) -> None:
    """Case D4."""
    west = ManagerProcess(tmp_path / "west", "west", tree["east"].transport_url, options=OPTIONS)
    west.sync_database()
    try:
        west.start()
        poll(lambda: "[DEFAULT] transport_url" in west.log(), "west finds a manager of east on its topic", 60)
        assert READY not in west.log()
        assert "east" in west.log()
        refused = west.cells("status")
        assert (refused.returncode, "cell east" in refused.stderr) == (2, True)
    finally:
        west.kill()


@pytest.fixture
def below_nova(tmp_path: Path, rabbitmq: VirtualHostPool) -> Iterator[Tree]:
    """East holds its parent for a cell of Nova, which it does not ping."""
    options: dict[str, Options] = {"east": {"cells": {"mute_child_interval": 1, "probe_interval": 1}}}
    tree = Tree(tmp_path, {"api": {"east": {}}}, rabbitmq.take, cell_options=options)
    try:
        tree.start()
        tree["east"].succeed("neighbor", "set", "api", "--version-cap", "stein")
        tree["east"].hup()
        yield tree
    finally:
        tree.stop()


def test_a_parent_of_nova_is_judged_by_the_consumers_at_its_broker(below_nova: Tree) -> None:
    api, east = below_nova["api"], below_nova["east"]

    def is_up_unheard() -> bool:
        row = seen(east, "api")
        return row.get("state") == "up" and (row["last_seen_seconds"] or 0) > 1

    poll(is_up_unheard, "east counts a manager at the broker of api", 60)
    api.kill9()
    wait_for_problem(east, "api", "start cells-manager")
    assert seen(east, "api")["state"] == "mute"


@pytest.fixture
def apart(tmp_path: Path, rabbitmq: VirtualHostPool) -> Iterator[Tree]:
    """Three managers that are ready; neither east nor west can be reached."""
    options: dict[str, Options] = {
        "east": {"DEFAULT": {"control_exchange": "elsewhere"}},
        "west": {"cells": {"rpc_driver_queue_base": "elsewhere"}},
    }
    tree = Tree(tmp_path, {"api": {"east": {}, "west": {}}}, rabbitmq.take, cell_options=options)
    tree.prepare()
    try:
        for manager in tree:
            manager.start()
        for manager in tree:
            manager.wait_ready()
        yield tree
    finally:
        tree.stop()


def test_a_wrong_exchange_and_a_wrong_queue_name_are_named_on_both_sides(apart: Tree) -> None:
    """Case D3."""
    api, east, west = apart["api"], apart["east"], apart["west"]
    wait_for_problem(api, "east", "control_exchange")
    wait_for_problem(api, "west", "[cells] rpc_driver_queue_base")
    wait_for_problem(east, "api", "control_exchange")
    wait_for_problem(west, "api", "[cells] rpc_driver_queue_base")
    row = seen(api, "west")
    assert (row["state"], row["way"]) == ("unreachable", "none")
    assert "cells neighbor set east --exchange" in seen(api, "east")["problem"]
    api.succeed("neighbor", "set", "east", "--exchange", "elsewhere")
    api.hup()
    east.succeed("neighbor", "set", "api", "--exchange", "openstack")
    east.hup()
    poll(lambda: seen(api, "east").get("state") == "up", "east answers", 60)
