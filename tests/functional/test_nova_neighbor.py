"""A cell with Nova's service can be child and parent of a cell of this project, at version 1.0."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cells import exceptions
from cells.scheduler import any_cell
from tests.functional.cell_tree import CONTEXT, TIMEOUT_SECONDS, CellTree, TreeCell, wait_for
from tests.functional.nova_neighbor import NovaNeighbor

LIMIT_BYTES = 8192
REQUEST_KEYS = {
    *("message_type", "ctxt", "method_name", "method_kwargs", "direction", "need_response", "fanout", "uuid"),
    *("routing_path", "hop_count", "max_hop_count"),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[CellTree]:
    with CellTree({"api": {"east": {}}}, services=True) as tree:
        yield tree


@pytest.fixture
def child(shared: CellTree) -> Iterator[NovaNeighbor]:
    """Nova as a child of the top of a tree that tests share."""
    with NovaNeighbor(shared, "api", is_parent=False) as nova:
        yield nova
    shared["api"].stop_services()


@pytest.fixture
def parent(cell_tree: Callable[..., CellTree]) -> Iterator[NovaNeighbor]:
    """Nova as the parent of a tree."""
    tree = cell_tree({"east": {"az1": {}}}, cell_options={"az1": {"cells": {"capabilities": "os=linux"}}})
    with NovaNeighbor(tree, "east", is_parent=True) as nova:
        tree["az1"].service.announcer.announce()
        wait_for(lambda: str(tree["az1"].service.topology.own_path) == "nova!east!az1", "az1 knows its place")
        yield nova


def test_the_announcements_of_a_child_are_requested_and_recorded(child: NovaNeighbor) -> None:
    for method in ("announce_capabilities", "announce_capacities"):
        asked = child.wait_for_message(method_name=method)
        assert asked.keys() == REQUEST_KEYS | {"target_cell"}
        assert (asked["target_cell"], asked["direction"], asked["need_response"]) == ("api!nova", "down", False)
        assert asked["method_kwargs"] == {}
    child.announce({"hypervisor": ["kvm"]}, {"ram_free": {"total_mb": 512}})
    manager = child.cell.service.manager
    wait_for(lambda: manager.capabilities(CONTEXT) == {"hypervisor": ["kvm"]}, "api knows the capabilities of nova")
    wait_for(lambda: manager.capacities(CONTEXT) == {"ram_free": {"total_mb": 512}}, "api knows the capacities of nova")
    wait_for(lambda: child.cell.neighbors()["nova"]["state"] == "up", "nova has answered that it knows no ping")
    assert child.cell.neighbors()["nova"]["version"] is None


@pytest.mark.parametrize(("source", "route"), [("api", "api!nova"), ("east", "east!api!nova")])
def test_child_is_called(child: NovaNeighbor, source: str, route: str) -> None:
    assert child.tree[source].call("api!nova", "get_host") == "nova-host"
    request = child.wait_for_message(method_name="get_host")
    assert request.keys() == REQUEST_KEYS | {"target_cell"}
    assert (request["routing_path"], request["target_cell"]) == (route, route)
    assert (request["direction"], request["ctxt"]) == ("down", CONTEXT)


def test_a_cell_behind_the_child_is_called_by_its_full_path(child: NovaNeighbor) -> None:
    child.is_silent = True
    call = child.tree["east"].start_call("api!nova!grandchild", "get_host")
    request = child.wait_for_message(method_name="get_host")
    assert (request["routing_path"], request["target_cell"]) == ("east!api!nova", "east!api!nova!grandchild")
    way = {"routing_path": "east!api!nova!grandchild"}
    child.send(child.answer_to({**request, **way}, "far-host") | {"routing_path": "grandchild!nova", "fanout": False})
    assert call.result(TIMEOUT_SECONDS) == "far-host"
    with pytest.raises(exceptions.CellNotFound):
        child.tree["east"].call("grandchild", "get_host")


def test_the_topology_has_the_cells_behind_the_child(child: NovaNeighbor) -> None:
    child.is_silent = True
    drawn = child.cell.service.manager.topology(CONTEXT, TIMEOUT_SECONDS)
    request = child.wait_for_message(message_type="broadcast", method_name="ping")
    error = {"class": "AttributeError", "module": "builtins", "message": "no ping", "tb": [], "args": [], "kwargs": {}}
    answers = [
        {"cell_name": cell, "value": json.dumps(error), "failure": True} for cell in ("api!nova", "api!nova!grandchild")
    ]
    child.send(child.answer_to(request, answers))
    (nova,) = [node for node in drawn.result(TIMEOUT_SECONDS)["children"] if node["name"] == "nova"]
    assert [(cell["path"], cell["state"]) for cell in (nova, *nova["children"])] == [
        ("api!nova", "up"),
        ("api!nova!grandchild", "up"),
    ]


def test_error_of_the_child_is_a_remote_error(child: NovaNeighbor) -> None:
    with pytest.raises(exceptions.RemoteError, match="AttributeError: no where"):
        child.tree["api"].call("nova")


def test_child_answers_a_broadcast_with_all_cells_behind_it(child: NovaNeighbor) -> None:
    child.is_silent = True
    waiting = child.tree["api"].service.manager.broadcast_call(CONTEXT, "where", {}, "down")
    request = child.wait_for_message(message_type="broadcast")
    assert request.keys() == REQUEST_KEYS
    values = [
        {"cell_name": "api!nova", "value": 1, "failure": False},
        {"cell_name": "api!nova!grandchild", "value": 2, "failure": False},
    ]
    child.send(child.answer_to(request, values))
    answers = {answer["cell_name"]: answer["value"] for answer in map(json.loads, waiting.result(10))}
    assert answers == {"api": "api", "api!east": "api!east", "api!nova": 1, "api!nova!grandchild": 2}


def test_child_calls_its_parent(child: NovaNeighbor) -> None:
    request = child.request("targeted", "where", target_cell="nova!api")
    child.send(request)
    answer = child.wait_for_message(response_uuid=request["uuid"])
    assert answer.keys() == REQUEST_KEYS | {"target_cell", "response_uuid"}
    assert (answer["message_type"], answer["method_name"]) == ("response", "parse_responses")
    assert (answer["target_cell"], answer["direction"], answer["fanout"]) == ("api!nova", "down", True)
    assert answer["need_response"] is False
    assert answer["method_kwargs"].keys() == {"orig_message", "responses"}
    assert isinstance(json.loads(answer["method_kwargs"]["orig_message"]), dict)
    (text,) = answer["method_kwargs"]["responses"]
    assert json.loads(text) == {"cell_name": "nova!api", "value": "api", "failure": False}


def test_a_child_gets_errors_in_its_own_form(child: NovaNeighbor) -> None:
    request = child.request("targeted", "no_such_method", target_cell="nova!api")
    child.send(request)
    answer = child.wait_for_message(response_uuid=request["uuid"])
    response = json.loads(answer["method_kwargs"]["responses"][0])
    error = json.loads(response["value"])
    assert response["failure"] is True
    assert error.keys() == {"class", "module", "message", "tb", "args", "kwargs"}
    assert (error["class"], error["module"]) == ("UnknownMethod", "cells.exceptions")


def test_missing_and_unknown_keys_are_accepted(child: NovaNeighbor) -> None:
    request = child.request("targeted", "where", target_cell="nova!api", key_of_another_release={"x": 1})
    for key in ("fanout", "hop_count", "max_hop_count"):
        del request[key]
    child.send(request)
    assert child.wait_for_message(response_uuid=request["uuid"])


def test_a_parent_without_ping_gets_announcements(parent: NovaNeighbor) -> None:
    expected = {"cell_name": "east", "capabilities": {"os": ["linux"]}}
    update = parent.wait_for_message(method_name="update_capabilities", method_kwargs=expected)
    assert (update["fanout"], update["direction"], update["target_cell"]) == (True, "up", "east!nova")
    assert update["need_response"] is False
    update = parent.wait_for_message(method_name="update_capacities")
    assert update["method_kwargs"] == {"cell_name": "east", "capacities": {}}
    wait_for(lambda: parent.cell.neighbors()["nova"]["state"] == "up", "nova is known to live")


def test_a_parent_requests_announcements(parent: NovaNeighbor) -> None:
    parent.wait_for_message(method_name="update_capabilities")
    before = len(parent.received(method_name="update_capabilities"))
    keys = {"target_cell": "nova!east", "need_response": False}
    parent.send(parent.request("targeted", "announce_capabilities", **keys))
    wait_for(lambda: len(parent.received(method_name="update_capabilities")) > before, "east answers with its news")


def test_a_nova_parent_calls_through_a_cell_of_this_project(parent: NovaNeighbor) -> None:
    request = parent.request("targeted", "where", target_cell="nova!east!az1")
    parent.send(request)
    answer = parent.wait_for_message(response_uuid=request["uuid"])
    assert (answer["target_cell"], answer["routing_path"]) == ("az1!east!nova", "az1!east!nova")
    assert (answer["direction"], answer["fanout"]) == ("up", True)
    (text,) = answer["method_kwargs"]["responses"]
    assert json.loads(text) == {"cell_name": "nova!east!az1", "value": "nova!east!az1", "failure": False}


def test_a_parent_gets_one_answer_to_its_broadcast_for_the_whole_branch(parent: NovaNeighbor) -> None:
    request = parent.request("broadcast", "where")
    parent.send(request)
    answer = parent.wait_for_message(response_uuid=request["uuid"])
    assert (answer["target_cell"], answer["fanout"]) == ("east!nova", True)
    responses = [json.loads(text) for text in answer["method_kwargs"]["responses"]]
    assert {response["cell_name"]: response["value"] for response in responses} == {
        "nova!east": "nova!east",
        "nova!east!az1": "nova!east!az1",
    }
    assert len(parent.received(response_uuid=request["uuid"])) == 1


def test_parent_is_called_and_answers(parent: NovaNeighbor) -> None:
    assert parent.tree["az1"].call("nova", "get_host") == "nova-host"


def test_a_parent_with_a_cap_of_nova_is_the_root_at_once(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree({"east": {"az1": {}}})
    with NovaNeighbor(tree, "east", is_parent=True, version_cap="stein") as nova:
        wait_for(lambda: str(tree["az1"].service.topology.own_path) == "nova!east!az1", "az1 knows its place")
        wait_for(lambda: tree["az1"].service.topology.is_placed, "az1 knows that it knows its place")
        for source in ("east", "az1"):
            with pytest.raises(exceptions.CellNotFound):
                tree[source].call("top!nova")
        assert tree["az1"].call("nova", "get_host") == "nova-host"
        assert nova.received(method_name="ping") == []


@pytest.fixture
def child_beside_small_cells(cell_tree: Callable[..., CellTree]) -> Iterator[NovaNeighbor]:
    """Nova as a silent child of cells that take small messages only."""
    tree = cell_tree({"api": {"east": {}}}, options={"cells": {"max_message_bytes": LIMIT_BYTES}})
    with NovaNeighbor(tree, "api", is_parent=False) as nova:
        nova.is_silent = True
        yield nova


@pytest.mark.parametrize("source", ["api", "east"])
def test_an_answer_that_is_too_large_is_an_error_of_its_caller(
    child_beside_small_cells: NovaNeighbor, source: str
) -> None:
    nova = child_beside_small_cells
    call = nova.tree[source].start_call("api!nova", "get_host")
    nova.send(nova.answer_to(nova.wait_for_message(method_name="get_host"), "x" * 2 * LIMIT_BYTES))
    with pytest.raises(exceptions.MessageTooLarge) as raised:
        call.result(TIMEOUT_SECONDS)
    assert raised.value.limit_bytes == LIMIT_BYTES


def test_an_answer_that_is_too_large_costs_a_broadcast_no_other_answer(
    child_beside_small_cells: NovaNeighbor,
) -> None:
    nova = child_beside_small_cells
    waiting = nova.cell.service.manager.broadcast_call(CONTEXT, "where", {}, "down")
    value = {"cell_name": "api!nova", "value": "x" * 2 * LIMIT_BYTES, "failure": False}
    nova.send(nova.answer_to(nova.wait_for_message(message_type="broadcast"), [value]))
    answers = {answer["cell_name"]: answer for answer in map(json.loads, waiting.result(TIMEOUT_SECONDS))}
    assert (answers["api"]["value"], answers["api!east"]["value"]) == ("api", "api!east")
    assert json.loads(answers["api!nova"]["value"])["class"] == "MessageTooLarge"


class Inventory:
    """Service of a cell of this project."""

    def count(self, ctxt: dict[str, Any]) -> str:
        return "counted"


@pytest.mark.parametrize("knows", ["that-it-is-nova", "nothing-of-it"])
def test_a_nova_child_that_ranks_best_is_passed_over(child: NovaNeighbor, knows: str) -> None:
    """Case D6."""
    api = child.cell
    child.announce({"hypervisor": ["kvm"]}, {"ram_mb": 4096})
    wait_for(lambda: _has_no_ping(api), "nova has refused a ping")
    api.database.update("nova", weight_offset=1000.0)
    assert api.service.loader.load()
    if knows == "nothing-of-it":
        api.service.table.record("nova", has_no_ping=False)  # as before the first ping
    anywhere = child.tree["api"].client("inventory", timeout=10)
    with pytest.raises(exceptions.NoCellsAvailable) as raised:
        anywhere.prepare(cell=any_cell({"hypervisor": "kvm"})).call({}, "count")
    assert "api!nova" in raised.value.reasons
    child.tree["api"].serve("inventory", Inventory())
    assert anywhere.prepare(cell=any_cell()).call({}, "count") == "counted"
    asked = child.received(method_name="service_call_any")
    assert bool(asked) is (knows == "nothing-of-it")


def test_a_broadcast_that_has_no_endpoint_here_is_one_line_in_the_log(
    child: NovaNeighbor, caplog: pytest.LogCaptureFixture
) -> None:
    notices = ("instance_update_at_top", "bw_usage_update_at_top")
    with caplog.at_level(logging.DEBUG, "cells"):
        for method in notices * 3:
            child.send(child.request("broadcast", method, need_response=False))
        wait_for(lambda: child.cell.neighbors()["nova"]["lost"] == 6, "all are counted")
        request = child.request("broadcast", notices[0])
        child.send(request)
        child.wait_for_message(response_uuid=request["uuid"])
    found = [record for record in caplog.records if "broadcast message" in record.getMessage()]
    shown = [record.getMessage() for record in found if record.levelno > logging.DEBUG]
    assert len(found) == 7
    assert [sum(method in line for line in shown) for method in notices] == [1, 1]
    assert len(shown) == 2


def _has_no_ping(cell: TreeCell) -> bool:
    heard = cell.service.table.heard("nova")
    return heard is not None and heard.has_no_ping and bool(heard.capabilities)


def test_a_multicall_names_the_nova_child_with_an_error(child: NovaNeighbor) -> None:
    child.tree["api"].serve("inventory", Inventory())
    everywhere = child.tree["api"].client("inventory", timeout=10).prepare(cells="down")
    answers = dict(everywhere.multicall({}, "count"))
    assert answers["api"] == "counted"
    assert isinstance(answers["api!nova"], exceptions.UnknownMethod)
