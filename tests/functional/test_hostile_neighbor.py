"""A neighbor that is hostile, or broken, spends its own budgets; other cells notice nothing of it."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from cells import exceptions
from cells.endpoints import Call, endpoint
from cells.messages import Response
from tests.functional.cell_tree import CONTEXT, CellTree, wait_for
from tests.functional.hostile_neighbor import HostileNeighbor
from tests.thorough import cases

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}
Start = Callable[..., CellTree]
#: of each neighbor, and of the services of a cell
MAX_CALLS = 20
FEW = {"cells": {"max_pending_calls": MAX_CALLS, "max_foreign_calls": MAX_CALLS}}


# Direct links have budgets of their own, and a certificate for each neighbor.
@pytest.fixture(params=cases(["memory", "direct"], ["direct"]))
def linked_tree(request: pytest.FixtureRequest, cell_tree: Start) -> Start:
    """Factory of trees with links of each kind."""
    return functools.partial(cell_tree, links=request.param)


@endpoint(blocks=False)
def seconds_left(call: Call) -> float | None:
    return call.seconds_left


def test_waits_for_one_neighbor_leave_room_for_all_others(linked_tree: Start) -> None:
    """(case G1)."""
    let_go = threading.Event()

    @endpoint
    def hang(call: Call) -> None:
        if call.cell.name == "east":
            assert let_go.wait(60)

    tree = linked_tree(SHAPE, endpoints=[hang], options=FEW)
    with HostileNeighbor(tree, "api", "top", is_parent=True) as top:
        asked = [top.request("broadcast", "hang", time_left=600_000) for _ in range(5 * MAX_CALLS)]
        top.send_cast(asked[:50])
        top.send_cast(asked[50:])
        api = tree["api"]
        wait_for(lambda: api.counters().get("over_budget.top", 0) >= 4 * MAX_CALLS, "the budget is spent")
        assert len(api.service.pending) <= 2 * MAX_CALLS
        assert top.errors(asked[-1]["uuid"]) == ["ManagerBusy"]
        assert api.call("west").endswith("api!west")
        assert api.call("az1", "ping")["name"] == "az1"
        assert tree["west"].call("api", "ping")["name"] == "api"
        # No broadcast returns to its sender.
        assert not top.received(message_type="broadcast")
        started = time.monotonic()
        api.stop()
        assert time.monotonic() - started < 10
        let_go.set()


def test_slow_calls_of_one_neighbor_leave_threads_for_all_others(linked_tree: Start) -> None:
    """(case G1)."""
    let_go = threading.Event()

    @endpoint
    def hang(call: Call) -> str:
        assert let_go.wait(60)
        return call.cell.name

    @endpoint
    def work(call: Call) -> str:
        return call.cell.name

    few = {"cells": {"endpoint_threads": 4}}
    tree = linked_tree(SHAPE, endpoints=[hang, work], cell_options={"api": few})
    with HostileNeighbor(tree, "api", "top", is_parent=True) as top:
        asked = [top.request("targeted", "hang", time_left=600_000) for _ in range(50)]
        top.send_cast(asked)
        assert tree["api"].call("api", "work") == "api"
        assert tree["west"].call("api", "work") == "api"
        let_go.set()
        wait_for(lambda: top.received(response_uuid=asked[-1]["uuid"]), "each call of the neighbor runs")


def test_time_of_one_neighbor_is_limited(linked_tree: Start) -> None:
    """(case G1)."""
    tree = linked_tree(SHAPE, endpoints=[seconds_left], cell_options={"api": {"cells": {"max_foreign_seconds": 1.0}}})
    with HostileNeighbor(tree, "api", "top", is_parent=True) as top, HostileNeighbor(tree, "api", "silent"):
        asked = top.request("broadcast", "where", time_left=600_000)
        top.send(asked)
        assert sorted(top.errors(asked["uuid"])) == ["", "", "", "", "CellTimeout"]
        asked = top.request("targeted", "seconds_left", time_left=600_000)
        top.send(asked)
        assert top.errors(asked["uuid"]) == [""]
        assert '"value": 0.' in top.next(response_uuid=asked["uuid"])["method_kwargs"]["responses"][0]
        # A call that is only forwarded is not limited.
        asked = top.request("targeted", "seconds_left", time_left=3000, target_cell="top!api!west")
        top.send(asked)
        assert '"value": 29' in top.next(response_uuid=asked["uuid"])["method_kwargs"]["responses"][0]


def test_cells_that_one_branch_makes_up_displace_no_answers_of_others(linked_tree: Start) -> None:
    """(case G2)."""
    tree = linked_tree(SHAPE)
    with HostileNeighbor(tree, "api") as liar:
        future = tree["api"].service.manager.broadcast_call(CONTEXT, "where", {}, "down", timeout=1.5)
        asked = liar.next(message_type="broadcast", method_name="where")
        for number in range(3):
            names = [f"{number}-{made_up}" for made_up in range(10_000)]
            liar.answer(asked, route=f"liar!{number}" if number else "liar", passed_on_to=names)
        liar.answer(asked, "x", route="west!east!liar")
        texts = future.result(30)
    values = [answer.value for answer in (Response.from_json(text, ()) for text in texts) if answer.error is None]
    assert {"api", "api!east", "api!east!az1", "api!west"} <= set(map(str, values))


def test_message_that_is_far_too_large_gets_no_answer(cell_tree: Start) -> None:
    """(case G3)."""
    limit_bytes = 65_536
    tree = cell_tree(SHAPE, cell_options={"api": {"cells": {"max_message_bytes": limit_bytes}}})
    with HostileNeighbor(tree, "api") as liar:
        for times in (2, 10):
            asked = liar.request("targeted", "ping", method_kwargs={"x": ["\u00e9"] * (times * limit_bytes // 10)})
            liar.send(asked)
            if times == 2:
                assert liar.errors(asked["uuid"]) == ["MessageTooLarge"]
        wait_for(lambda: tree["api"].counters().get("rejected.MessageTooLarge") == 2, "both are refused")
        assert not liar.received(response_uuid=asked["uuid"])
        assert tree["api"].call("west") == "api!west"


def test_reports_of_one_child_leave_those_of_its_siblings_whole(linked_tree: Start) -> None:
    """(cases G4 and G5)."""
    tree = linked_tree({"top": SHAPE}, cell_options={"west": {"cells": {"capabilities": "os=linux"}}})
    tree["west"].service.manager.report_capacities(CONTEXT, {"ram": {"mb": 100}, "disk": 7}, "host")
    top = tree["top"].service.manager
    wait_for(lambda: top.capacities(CONTEXT).get("disk") == 7, "top knows west")
    with HostileNeighbor(tree, "api") as liar:
        liar.report("capabilities", {f"{number:0200}": ["x" * 200] * 3 for number in range(4000)})
        liar.report("capacities", {"ram": {"mb": -(2**63)}, "disk": {"x": 1}, "swap": True, "cpus": 4})
        wait_for(lambda: top.capacities(CONTEXT).get("cpus") == 4, "top gets the capacities of the liar")
        wait_for(lambda: len(top.capabilities(CONTEXT)) > 100, "top gets the capabilities of the liar")
        assert top.capabilities(CONTEXT)["os"] == ["linux"]
        assert top.capacities(CONTEXT)["ram"] == {"mb": 100}
        counters = tree["api"].counters()
        assert counters["left_out.capabilities"] > 5000
        assert counters["left_out.capacities"] == 2


def test_names_that_a_child_claims_lead_where_they_led(linked_tree: Start) -> None:
    """(case G6)."""
    tree = linked_tree({"top": SHAPE})
    api = tree["api"]
    assert api.call("az1") == "top!api!east!az1"
    claimed: dict[str, Any] = {"east": {"az1": {}}, "top": {}, "api": {}, "az1": {}}
    with HostileNeighbor(tree, "api") as liar:
        liar.description = {"name": "liar", "host": "h", "path": "top!api!liar", "version": "1.0", "subtree": claimed}
        liar.report("capabilities", {})
        wait_for(lambda: "az1" in api.service.topology.subtree()["liar"], "api learns the claims")
        for name in ("east", "az1", "top", "api"):
            assert str(api.call(name)).endswith(name)
        assert tree["east"].call("az1") == "top!api!east!az1"


def test_answer_of_a_branch_that_was_not_asked_is_dropped(cell_tree: Start) -> None:
    """(case G7)."""
    tree = cell_tree(SHAPE)
    api = tree["api"]
    with HostileNeighbor(tree, "api", "asked") as honest, HostileNeighbor(tree, "api") as liar:
        future = api.start_call("asked", "where")
        asked = honest.next(method_name="where")
        liar.answer(asked, "lie")
        liar.answer(asked, "lie", route="liar!asked")
        liar.answer({**asked, "uuid": "guessed"}, "lie", route="asked")
        wait_for(lambda: api.counters().get("dropped.response", 0) >= 3, "the lies are dropped")
        assert api.counters()["dropped.unasked_branch"] == 2
        honest.answer(asked, "truth")
        assert future.result(10) == "truth"


@pytest.mark.parametrize("message_type", ["broadcast", "targeted"])
def test_message_in_a_direction_that_its_sender_has_not_is_refused(linked_tree: Start, message_type: str) -> None:
    tree = linked_tree(SHAPE)
    with HostileNeighbor(tree, "api") as child, HostileNeighbor(tree, "api", "top", is_parent=True) as parent:
        for sender, direction in ((child, "down"), (parent, "up")):
            asked = sender.request(message_type, "where", direction=direction)
            sender.send(asked)
            assert sender.errors(asked["uuid"]) == ["WrongDirection"]
        assert tree["api"].counters()["rejected.WrongDirection"] == 2


def test_message_of_a_cell_that_is_no_neighbor_does_not_run(cell_tree: Start) -> None:
    ran = []

    @endpoint(blocks=False)
    def note(call: Call) -> None:
        ran.append(str(call.route))

    tree = cell_tree(SHAPE, endpoints=[note])
    with HostileNeighbor(tree, "api") as liar:
        for route in ("stranger", "api", "east!stranger", "liar"):
            liar.send(
                liar.request("targeted", "note", need_response=False, routing_path=route, target_cell=f"{route}!api")
            )
        wait_for(lambda: ran, "the message of the neighbor runs")
        assert ran == ["liar!api"]
        assert tree["api"].counters()["rejected.UnregisteredSender"] == 3
        # An operator sees whom to register (case D2).
        seen = tree["api"].neighbors()
        assert (seen["stranger"]["state"], seen["stranger"]["way"]) == ("unregistered", "in")
        assert "cells neighbor create stranger" in seen["stranger"]["problem"]


def test_answer_that_names_a_mismatch_still_reaches_its_caller(cell_tree: Start) -> None:
    """The neighbor is registered under another name than its own, and its answer says so."""
    tree = cell_tree(SHAPE)
    with HostileNeighbor(tree, "api", "orient") as orient:
        future = tree["api"].start_call("orient", "where")
        orient.answer(orient.next(method_name="where"), "misnamed", route="its-own-name")
        assert future.result(10) == "misnamed"


def test_error_of_a_neighbor_whose_budget_is_spent_is_told(linked_tree: Start) -> None:
    """A call that comes too often fails at once for its caller, and no other call does (case G1)."""
    tree = linked_tree(SHAPE, options={"cells": {"max_foreign_calls": 1}})
    tree.freeze("west")
    first = tree["api"].start_call("west")
    wait_for(lambda: tree["west"].counters().get("received"), "west has the call")
    with pytest.raises(exceptions.ManagerBusy):
        tree["api"].call("west")
    tree.thaw()
    assert first.result(10) == "api!west"
    assert tree["api"].call("west") == "api!west"


def test_neighbor_calls_only_the_methods_in_its_row(linked_tree: Start) -> None:
    @endpoint(callers="parents")
    def for_parents(call: Call) -> str:
        return call.cell.name

    tree = linked_tree(SHAPE, endpoints=[for_parents])
    assert tree["api"].call("east", "for_parents") == "east"
    with pytest.raises(exceptions.CallNotAllowed) as caught:
        tree["az1"].call("east", "for_parents")
    assert (caught.value.cell, caught.value.method) == ("east", "for_parents")
    tree["east"].database.update("api", allowed_methods="where")
    assert tree["east"].service.loader.load()
    with pytest.raises(exceptions.CallNotAllowed):
        tree["west"].call("api!east", "for_parents")
    assert tree["west"].call("api!east") == "api!east"
    # A message that east only forwards is not its call.
    assert tree["west"].call("api!east!az1", "ping")["name"] == "az1"
    assert tree["east"].counters()["refused.CallNotAllowed"] == 2
