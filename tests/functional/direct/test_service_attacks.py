"""An attacker with the certificate of a child calls services: only those that its row and the cell allow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cells.endpoints import Call, endpoint
from cells.services.request import ServiceRequest
from tests.functional.cell_tree import CellTree
from tests.functional.direct.attack import Watch
from tests.functional.hostile_neighbor import HostileNeighbor, Json

SHAPE = {"top": {"api": {"east": {}, "west": {}}}}
ALLOWED = {"cells": {"allowed_services": "inventory:count,inventory:drop"}}
RAN: list[str] = []


@endpoint(callers="own_cell", blocks=False)
def for_own_cell(call: Call) -> None:
    RAN.append("for_own_cell")


class Inventory:
    """A service of one cell."""

    def __init__(self, cell: str) -> None:
        self._cell = cell

    def count(self, ctxt: Json) -> str:
        RAN.append(f"{self._cell} count")
        return self._cell

    def drop(self, ctxt: Json) -> None:
        RAN.append(f"{self._cell} drop")

    def erase(self, ctxt: Json) -> None:
        RAN.append(f"{self._cell} erase")


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE, links="direct", endpoints=[for_own_cell], options=ALLOWED, services=True) as tree:
        for name in ("top", "api", "west"):
            tree[name].serve("inventory", Inventory(name))
        yield tree


@pytest.fixture(scope="module")
def liar(tree: CellTree) -> Iterator[HostileNeighbor]:
    """The attacker: its row allows one method of one service."""
    with HostileNeighbor(tree, "api") as liar:
        tree["api"].database.update("liar", allowed_methods="where,inventory:count")
        assert tree["api"].service.loader.load()
        yield liar


@pytest.fixture
def watch(tree: CellTree, liar: HostileNeighbor) -> Watch:
    RAN.clear()
    return Watch(tree["api"])


def service_call(
    liar: HostileNeighbor, request: ServiceRequest, target: str = "liar!api", kind: str = "service_call"
) -> list[str]:
    """Return the classes of the errors in the answer."""
    arguments: Json = {"request": request.to_dict()}
    if kind in ("service_call", "service_call_any", "service_cast_any"):
        arguments["time_left"] = 5.0
    if kind.endswith("any"):
        arguments["requirements"] = {}
    asked = liar.request("targeted", kind, target_cell=target, method_kwargs=arguments, time_left=5.0)
    liar.send(asked)
    return liar.errors(asked["uuid"])


def test_what_the_row_allows(liar: HostileNeighbor, watch: Watch) -> None:
    assert service_call(liar, ServiceRequest("inventory", "count")) == [""]
    assert RAN == ["api count"]


@pytest.mark.parametrize(
    "kind", ["service_call", "service_cast", "service_event", "service_call_any", "service_cast_any"]
)
@pytest.mark.parametrize("method", ["drop", "erase"])
def test_no_other_method_of_a_service_runs(liar: HostileNeighbor, watch: Watch, kind: str, method: str) -> None:
    """Of these, the cell allows ``drop`` to other neighbors."""
    assert service_call(liar, ServiceRequest("inventory", method), kind=kind) == ["ServiceNotAllowed"]
    assert RAN == []
    assert watch.is_served()


@pytest.mark.parametrize(
    "request_",
    [
        ServiceRequest("cells", "call", args={"cell_name": "west", "method_name": "for_own_cell"}),
        ServiceRequest("cells.intercell.targeted", "process_message", args={"message": "{}"}),
        ServiceRequest("inventory", "count", exchange="other"),
        ServiceRequest("inventory", "count", namespace="admin"),
        ServiceRequest("inventory.server-1", "erase"),
    ],
    ids=["the manager", "the queue of messages", "another exchange", "another namespace", "the topic of a server"],
)
def test_no_other_topic_is_reached(liar: HostileNeighbor, watch: Watch, request_: ServiceRequest) -> None:
    (error,) = service_call(liar, request_)
    assert error
    assert RAN == []


def test_the_services_of_a_sibling_are_those_that_the_sibling_allows(liar: HostileNeighbor, watch: Watch) -> None:
    """There, it is a call of the cell between both; each cell lists what any cell behind that neighbor may call."""
    assert service_call(liar, ServiceRequest("inventory", "erase"), "liar!api!west") == ["ServiceNotAllowed"]
    assert service_call(liar, ServiceRequest("inventory", "count"), "liar!api!west") == [""]
    assert RAN == ["west count"]


def test_no_detour_leads_to_the_services_of_the_parent_with_more_rights(liar: HostileNeighbor, watch: Watch) -> None:
    request = ServiceRequest("inventory", "drop")
    arguments = {"request": request.to_dict(), "time_left": 5.0}
    for target in ("liar!api!top!api", "liar!api!west!api"):
        liar.send(liar.request("targeted", "service_call", target_cell=target, method_kwargs=arguments))
    for route in ("top", "west", "api"):
        forged = liar.request("targeted", "service_call", routing_path=route, method_kwargs=arguments)
        liar.send(forged | {"target_cell": f"{route}!api", "direction": "down" if route == "top" else "up"})
    watch.wait_for("rejected.WrongLink", 4)
    assert RAN == []


def test_an_endpoint_for_the_own_cell_stays_there(liar: HostileNeighbor, watch: Watch) -> None:
    asked = liar.request("targeted", "for_own_cell")
    liar.send(asked)
    assert liar.errors(asked["uuid"]) == ["CallNotAllowed"]
    broadcast = liar.request(
        "broadcast", "service_cast", method_kwargs={"request": ServiceRequest("inventory", "drop").to_dict()}
    )
    liar.send(broadcast)
    watch.wait_for("refused.CallNotAllowed", 1)
    watch.wait_for("failed.ServiceNotAllowed", 1)
    assert [ran for ran in RAN if ran.startswith("api")] == []
