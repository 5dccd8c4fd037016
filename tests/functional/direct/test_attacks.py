"""An attacker with the certificate of a child: nothing happens beyond what that child may do itself.

The attacks on the budgets of a cell are in ``test_hostile_neighbor.py``, over direct links too.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cells import exceptions
from cells.drivers.direct.frames import MessageClass
from cells.endpoints import Call, endpoint
from cells.messages import Response
from tests.functional.cell_tree import CONTEXT, CellTree, wait_for
from tests.functional.direct.attack import Watch
from tests.functional.hostile_neighbor import HostileNeighbor
from tests.functional.hostile_wires import DirectWire

SHAPE = {"top": {"api": {"east": {"az1": {}}, "west": {}}}}
RAN: list[str] = []
GATE = threading.Event()


@endpoint(blocks=False)
def note(call: Call) -> None:
    RAN.append(f"{call.cell.name}: {call.route}")


@endpoint(callers="parents", blocks=False)
def for_parents(call: Call) -> None:
    RAN.append(f"{call.cell.name}: {call.route}")


@endpoint
def wait(call: Call) -> str:
    assert GATE.wait(30)
    return call.cell.name


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    options = {"cells": {"max_message_bytes": 65_536}}
    with CellTree(SHAPE, links="direct", endpoints=[note, for_parents, wait], options=options) as tree:
        yield tree


@pytest.fixture(scope="module")
def liar(tree: CellTree) -> Iterator[HostileNeighbor]:
    """The attacker."""
    with HostileNeighbor(tree, "api") as liar:
        yield liar


@pytest.fixture
def sibling(tree: CellTree) -> Iterator[HostileNeighbor]:
    """An honest neighbor, whose answers the test gives."""
    with HostileNeighbor(tree, "api", "sibling") as sibling:
        yield sibling
        tree["api"].database.delete("sibling")
        assert tree["api"].service.loader.load()


@pytest.fixture
def watch(tree: CellTree, liar: HostileNeighbor) -> Iterator[Watch]:
    RAN.clear()
    GATE.clear()
    yield Watch(tree["api"])
    # After a test that fails, too, no endpoint waits and the attacker answers no ping.
    GATE.set()
    liar.description = None


def send_payload(liar: HostileNeighbor, payload: bytes, message_class: MessageClass = MessageClass.REQUEST) -> None:
    assert isinstance(liar.wire, DirectWire)
    liar.wire.send_payload(payload, message_class)


ROUTES = {
    "its sibling": "west",
    "a cell below its sibling": "az1!east",
    "the parent": "top",
    "the attacked cell": "api",
    "a cell that does not exist": "nowhere",
    "a cell behind itself that is the last hop": "liar!below",
}


@pytest.mark.parametrize("message_type", ["targeted", "broadcast"])
@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_no_request_in_the_name_of_another_cell_runs(
    liar: HostileNeighbor, watch: Watch, route: str, message_type: str
) -> None:
    direction = "down" if route == "top" else "up"
    asked = liar.request(message_type, "note", routing_path=route, direction=direction)
    if message_type == "targeted":
        asked["target_cell"] = f"{route}!api"
    liar.send(asked)
    watch.wait_for("rejected.WrongLink", 1)
    assert RAN == []
    assert watch.is_served()
    # Neither the attacker nor the cell whose name it used gets an answer.
    assert not liar.received(response_uuid=asked["uuid"])


def test_many_forged_messages_write_few_lines(
    liar: HostileNeighbor, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(50):
        liar.send(liar.request("targeted", "note", routing_path="west", target_cell="west!api"))
    watch.wait_for("rejected.WrongLink", 50)
    assert len([line for line in caplog.records if "liar" in line.getMessage()]) <= 5
    assert watch.is_served()


def test_a_refused_request_in_the_name_of_the_parent_ends_no_call_of_the_parent(
    tree: CellTree, liar: HostileNeighbor, watch: Watch
) -> None:
    """The attacker gets the broadcasts of its parent's parent, so that it knows their ids."""
    future = tree["top"].service.manager.broadcast_call(CONTEXT, "wait", {}, "down", timeout=10)
    asked = liar.next(method_name="wait")
    for route, direction in (("top", "down"), ("west", "up"), ("top", "up")):
        forged = liar.request("targeted", "note", routing_path=route, direction=direction, uuid=asked["uuid"])
        liar.send(forged | {"max_hop_count": "many"})
    watch.wait_for("rejected.WrongLink", 3)
    # Its own answer, which api gathers.
    liar.answer(asked | {"routing_path": "api"}, "liar", cell="top!api!liar")
    GATE.set()
    answers = [Response.from_json(text, ()) for text in future.result(10)]
    assert {answer.cell: answer.value for answer in answers} == {
        "top": "top",
        "top!api": "api",
        "top!api!east": "east",
        "top!api!east!az1": "az1",
        "top!api!west": "west",
        "top!api!liar": "liar",
    }


@pytest.mark.parametrize(
    "broken", [{"max_hop_count": 0}, {"padding": "x" * 100_000}, {"ctxt": 1}], ids=["malformed", "too large", "context"]
)
def test_a_refused_answer_in_the_name_of_a_sibling_ends_no_call(
    tree: CellTree, liar: HostileNeighbor, sibling: HostileNeighbor, watch: Watch, broken: dict[str, Any]
) -> None:
    future = tree["api"].start_call("sibling", "anything")
    asked = sibling.next(method_name="anything")
    forged = liar.request(
        "response",
        "parse_responses",
        routing_path="sibling",
        target_cell="sibling!api",
        response_uuid=asked["uuid"],
        method_kwargs={"orig_message": "{}", "responses": []},
    )
    liar.send({**forged, **broken})
    watch.wait_for("rejected.", 1)
    assert not future.done()
    sibling.answer(asked, "truth")
    assert future.result(10) == "truth"


def test_no_answer_to_a_call_of_a_sibling_is_taken(
    tree: CellTree, liar: HostileNeighbor, sibling: HostileNeighbor, watch: Watch
) -> None:
    future = tree["api"].start_call("sibling", "secret")
    asked = sibling.next(method_name="secret")
    assert not liar.received(method_name="secret")
    liar.answer(asked, "lie")
    liar.answer(asked, "lie", route="liar!sibling")
    liar.answer(asked, "lie", route="sibling")
    watch.wait_for("dropped.unasked_branch", 2)
    watch.wait_for("rejected.WrongLink", 1)
    assert not future.done()
    sibling.answer(asked, "truth")
    assert future.result(10) == "truth"


@pytest.mark.parametrize("claimed", ["api!west", "api!east!az1", "api", "top", "api!liars", "!", "a b\n"])
def test_an_answer_to_a_broadcast_in_the_name_of_another_cell_is_an_error_of_the_attacker(
    tree: CellTree, liar: HostileNeighbor, claimed: str
) -> None:
    liar.forget()
    future = tree["api"].service.manager.broadcast_call(CONTEXT, "where", {}, "down", timeout=10)
    asked = liar.next(method_name="where")
    liar.answer(asked, "lie", cell=claimed)
    answers = {answer.cell: answer for answer in (Response.from_json(text, ()) for text in future.result(10))}
    assert set(answers) == {"api", "api!east", "api!east!az1", "api!west", "api!liar"}
    assert "lie" not in [answer.value for answer in answers.values()]
    assert isinstance(answers["api!liar"].error, exceptions.RemoteError)


def test_a_message_that_comes_back_from_the_parent_does_not_run(liar: HostileNeighbor, watch: Watch) -> None:
    """The parent may call more methods than its children, and forwards messages of each of them."""
    asked = liar.request("targeted", "for_parents", target_cell="liar!api!top!api")
    liar.send(asked)
    watch.wait_for("rejected.WrongLink", 1)
    assert RAN == []
    assert watch.is_served()


def test_a_message_through_a_cell_comes_from_that_cell(liar: HostileNeighbor, watch: Watch) -> None:
    liar.send(liar.request("targeted", "note", need_response=False, target_cell="liar!api!west"))
    wait_for(lambda: RAN, "the message runs")
    assert RAN == ["west: liar!api!west"]
    asked = liar.request("targeted", "note", target_cell="liar!api!top!west")
    liar.send(asked)
    assert liar.errors(asked["uuid"]) == ["CellNotFound"]


def test_an_announcement_about_another_cell_is_refused(tree: CellTree, liar: HostileNeighbor, watch: Watch) -> None:
    before = tree["api"].service.manager.capabilities(CONTEXT)
    for name in ("west", "east", "api", "top", "nowhere"):
        for is_fanout in (False, True):
            arguments = {"cell_name": name, "capabilities": {"os": ["stolen"]}}
            liar.send(
                liar.request(
                    "targeted", "update_capabilities", method_kwargs=arguments, need_response=False, fanout=is_fanout
                )
            )
            arguments = {"cell_name": name, "capacities": {"ram": 1}}
            liar.send(liar.request("targeted", "update_capacities", method_kwargs=arguments, need_response=False))
    watch.wait_for("failed.InvalidArguments", 20)
    assert tree["api"].service.manager.capabilities(CONTEXT) == before


def test_a_path_that_a_child_claims_moves_no_cell(tree: CellTree, liar: HostileNeighbor, watch: Watch) -> None:
    liar.description = {"name": "west", "host": "h", "path": "top!api!west", "version": "1.0", "subtree": {"top": {}}}
    liar.report("capabilities", {})
    wait_for(lambda: "top" in tree["api"].service.topology.subtree()["liar"], "api learns the claims")
    liar.description = None
    assert str(tree["api"].service.topology.own_path) == "top!api"
    assert tree["api"].call("west") == "top!api!west"
    assert tree["api"].call("top") == "top"
    assert watch.is_served()


def test_an_address_for_the_reply_leads_to_no_queue(tree: CellTree, liar: HostileNeighbor, watch: Watch) -> None:
    for reply_to in ("cells", "x@reply_0", "1@cells.intercell.targeted", "1@reply_" + "a" * 32):
        asked = liar.request("targeted", "where", reply_to=reply_to)
        liar.send(asked)
        assert liar.errors(asked["uuid"]) == [""]
        # The same in an answer, for the clients of a sibling.
        answer = {"orig_message": "{}", "responses": ['{"cell_name": "west", "value": 1, "failure": false}']}
        keys = {"method_kwargs": answer, "response_uuid": "guessed", "need_response": False, "reply_to": reply_to}
        liar.send(liar.request("response", "parse_responses", target_cell="liar!api!west", **keys))
    assert watch.is_served()
    assert watch.counted("shortcut") == 0


JUNK = {
    "a text": b'"text"',
    "a number": b"1",
    "nothing": b"",
    "no UTF-8": b"\xff\xfe\x00{",
    "a list that is no UTF-8": b'["\xff"]',
    "zeros": b"\0" * 1000,
    "an open list": b"[",
    "a deep list": b"[" * 60_000,
    "a deep object": b'{"a":' * 10_000,
    "a list of texts": b'["a", "b"]',
    "nested lists": b"[[[]]]",
    "numbers": b"[1, 2, null, true, NaN, -Infinity, 1e999]",
    "too many items": b"[" + b"{}," * 9_999 + b"{}]",
    "a huge integer": b'{"message_type": ' + b"9" * 5_000 + b"}",
    "a list with a huge integer": b"[" + b"9" * 5_000 + b"]",
    "an item without a payload": b'[{"message_type": "targeted"}]',
    "an item with a lone surrogate": b'[{"message_type": "\\ud800", "payload": "\\udfff"}]',
    "an unknown type": b'{"message_type": "shutdown"}',
}


@pytest.mark.parametrize("payload", JUNK.values(), ids=JUNK)
def test_bytes_that_are_no_message_are_refused(
    liar: HostileNeighbor, watch: Watch, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for message_class in MessageClass:
        send_payload(liar, payload, message_class)
    watch.wait_for("rejected.", 3)
    assert watch.counted("rejected.Bug") == 0
    assert not [record for record in caplog.records if record.exc_info]
    assert watch.is_served()


VALUES = {
    "time_left": [float("nan"), float("inf"), "1", [], True],
    "hop_count": [-1, 10**400, 1.5, True],
    "max_hop_count": [0, -(2**63), 10**400, "ten"],
    "trace": [[{}] * 201, [{"cell": "x" * 10_000}], [[[]]], {"a": 1}],
    "fanout": [1, "yes", []],
    "reply_server": ["x" * 10_000, 7, "a\nb"],
    "uuid": ["", "x" * 10_000, 7, "\x1b[2J"],
    "routing_path": ["liar!" * 3, "", "liar!\n", 5],
    "target_cell": ["liar!api!" * 5_000, "", "liar!\x00"],
    "method_kwargs": [[], 1, None],
}


@pytest.mark.parametrize("key", VALUES)
def test_a_wrong_value_of_a_key_is_refused(
    liar: HostileNeighbor, watch: Watch, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    for value in VALUES[key]:
        asked = liar.request("targeted", "note", need_response=False) | {key: value}
        liar.send(asked)
        item = {name: found for name, found in asked.items() if name not in ("ctxt", "method_kwargs")}
        payload = {"ctxt": {}, "method_kwargs": asked["method_kwargs"]}
        send_payload(liar, json.dumps([{**item, "payload": json.dumps(payload)}]).encode())
    watch.wait_for("rejected.", 2 * len(VALUES[key]))
    assert watch.counted("rejected.Bug") == 0
    assert RAN == []
    assert not [record for record in caplog.records if record.exc_info]
    assert watch.is_served()
