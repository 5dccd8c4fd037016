"""An attacker with the password of a cell's broker: it speaks for no neighbor with a direct link."""

from __future__ import annotations

import json
from collections.abc import Iterator

import oslo_messaging
import pytest

from cells.endpoints import Call, endpoint
from tests.functional.cell_tree import CellTree, wait_for
from tests.functional.direct.attack import Watch
from tests.functional.hostile_neighbor import HostileNeighbor, Json

SHAPE = {"top": {"api": {"east": {}, "west": {}}}}
RAN: list[str] = []


@endpoint(blocks=False)
def note(call: Call) -> None:
    RAN.append(str(call.route))


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    options = {"api": {"cells": {"driver": "rpc"}}}
    with CellTree(SHAPE, links="direct", endpoints=[note], cell_options=options) as tree:
        yield tree


@pytest.fixture
def watch(tree: CellTree) -> Watch:
    RAN.clear()
    return Watch(tree["api"])


class Login:
    """Sends to the queues of a cell's managers over the bus of that cell."""

    def __init__(self, tree: CellTree) -> None:
        self._transport = tree["api"].transport

    def cast(self, message_type: str, method: str, **arguments: object) -> None:
        target = oslo_messaging.Target(topic=f"cells.intercell.{message_type}", version="1.0")
        options = oslo_messaging.TransportOptions(at_least_once=True)
        client = oslo_messaging.get_rpc_client(self._transport, target, version_cap="1.9", transport_options=options)
        client.prepare(version="1.3" if method == "process_messages" else "1.0").cast({}, method, **arguments)

    def send(self, message: Json) -> None:
        """Send a message alone, and in a cast of several."""
        self.cast(message["message_type"], "process_message", message=json.dumps(message))
        item = dict(message)
        item["uuid"] += "-2"
        item["payload"] = json.dumps({key: item.pop(key) for key in ("ctxt", "method_kwargs")})
        self.cast(message["message_type"], "process_messages", messages=[item])


def request(message_type: str, route: str, **keys: object) -> Json:
    message: Json = {"message_type": message_type, "method_name": "note", "ctxt": {}, "method_kwargs": {}}
    message |= {"direction": "down" if route == "top" else "up", "need_response": False, "fanout": False}
    message |= {"uuid": f"{message_type}-{route}", "routing_path": route, "hop_count": 1, "max_hop_count": 10}
    if message_type != "broadcast":
        message["target_cell"] = f"{route}!api"
    return message | keys


@pytest.mark.parametrize("message_type", ["targeted", "broadcast"])
@pytest.mark.parametrize("route", ["top", "west", "deeper!east"])
def test_no_request_in_the_name_of_a_neighbor_runs(tree: CellTree, watch: Watch, message_type: str, route: str) -> None:
    Login(tree).send(request(message_type, route))
    watch.wait_for("rejected.WrongLink", 2)
    assert RAN == []
    assert watch.is_served()


@pytest.mark.parametrize("route", ["west", "another-name"])
def test_no_answer_in_the_name_of_a_neighbor_is_taken(tree: CellTree, watch: Watch, route: str) -> None:
    """Not under a name that this cell does not know, either: some neighbors have another name for themselves."""
    with HostileNeighbor(tree, "api", "asked") as honest:
        future = tree["api"].start_call("asked", "secret")
        asked = honest.next(method_name="secret")
        lie = json.dumps({"cell_name": "api!asked", "value": "lie", "failure": False})
        keys = {
            "method_name": "parse_responses",
            "method_kwargs": {"orig_message": "{}", "responses": [lie]},
            "response_uuid": asked["uuid"],
        }
        for name in ("asked", route):
            Login(tree).send(request("response", name, **keys))
            # One that cannot be read gets no answer, which would end the call, too.
            Login(tree).send(request("response", name, **keys, hop_count="many"))
        # By name, and alone and in a cast: those under a known name, and those that cannot be read.
        watch.wait_for("rejected.WrongLink", 2)
        watch.wait_for("rejected.", 8 if route == "west" else 6)
        watch.wait_for("dropped.unasked_branch", 0 if route == "west" else 2)
        assert not future.done()
        honest.answer(asked, "truth")
        assert future.result(10) == "truth"
    tree["api"].database.delete("asked")
    assert tree["api"].service.loader.load()


def test_a_row_may_accept_another_driver_during_a_migration(tree: CellTree, watch: Watch) -> None:
    api = tree["api"]
    api.database.update("west", also_accept="rpc")
    assert api.service.loader.load()
    try:
        Login(tree).send(request("targeted", "west"))
        wait_for(lambda: len(RAN) == 2, "both messages run")
        Login(tree).send(request("targeted", "east"))
        watch.wait_for("rejected.WrongLink", 2)
        assert RAN == ["west!api"] * 2
    finally:
        api.database.update("west", also_accept=None)
        assert api.service.loader.load()
    Login(tree).send(request("targeted", "west", uuid="once more"))
    watch.wait_for("rejected.WrongLink", 4)
    assert RAN == ["west!api"] * 2
    assert watch.is_served()
