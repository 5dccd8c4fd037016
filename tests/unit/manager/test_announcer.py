"""The versions that a cell learns from pings: each manager of a neighbor names its own, and the lowest counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cells import exceptions
from cells.messages import Response
from tests.unit.endpoints.cells_in_memory import CellInMemory
from tests.unit.messages import captures


@pytest.fixture
def east() -> Iterator[CellInMemory]:
    with CellInMemory("east", parents=["api"], children=["az1"]) as cell:
        yield cell


def ping(cell: CellInMemory, neighbor: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ping a neighbor; return the message to all of its managers, and the message to one manager."""
    cell.service.prober.ping(neighbor)
    sent = [cell.next_text(neighbor) for _ in range(2)]
    assert {one["method_name"] for one in sent} == {"ping"}
    (to_all,) = [one for one in sent if one["fanout"]]
    (to_one,) = [one for one in sent if not one["fanout"]]
    return to_all, to_one


def answer(cell: CellInMemory, request: dict[str, Any], neighbor: str, *responses: Response) -> None:
    """Receive the answer of a neighbor's manager to a message."""
    data = captures.capture("response_fanout_last_hop")
    kwargs = {**data["method_kwargs"], "responses": [response.to_json() for response in responses]}
    keys = {"uuid": "a", "response_uuid": request["uuid"], "routing_path": neighbor, "target_cell": f"{neighbor}!east"}
    direction = "down" if neighbor == "api" else "up"
    cell.router.receive(json.dumps({**data, **keys, "direction": direction, "method_kwargs": kwargs}))


def reads(version: str, host: str) -> Response:
    return Response("az1", {"version": version, "host": host})


def announced(cell: CellInMemory, neighbor: str) -> str | None:
    heard = cell.table.heard(neighbor)
    assert heard is not None
    return heard.version


@pytest.mark.parametrize("neighbor", ["api", "az1"])
def test_managers_of_a_neighbor_report_their_versions_and_the_lowest_counts(east: CellInMemory, neighbor: str) -> None:
    to_all, to_one = ping(east, neighbor)
    assert (to_all["need_response"], to_one["need_response"]) == (True, True)
    for host, version, lowest in (("h1", "1.3", "1.3"), ("h2", "1.1", "1.1"), ("h3", "1.2", "1.1")):
        answer(east, to_all, neighbor, reads(version, host))
        assert announced(east, neighbor) == lowest
    answer(east, to_one, neighbor, reads("1.3", "h1"))
    assert announced(east, neighbor) == "1.1"
    assert "dropped.response" not in east.counters.as_dict()
    # The second manager has been upgraded.
    to_all, _ = ping(east, neighbor)
    answer(east, to_all, neighbor, reads("1.3", "h2"))
    assert announced(east, neighbor) == "1.2"
    answer(east, to_all, neighbor, reads("1.3", "h3"))
    assert announced(east, neighbor) == "1.3"


def test_unsolicited_answers_change_no_version(east: CellInMemory) -> None:
    to_all, to_one = ping(east, "az1")
    answer(east, to_all, "api", reads("1.3", "h1"))
    answer(east, {"uuid": "never asked"}, "az1", reads("1.3", "h1"))
    assert (announced(east, "az1"), announced(east, "api")) == (None, None)
    assert east.counters.as_dict()["dropped.response"] == 2
    assert len(east.pending) == 1
    answer(east, to_one, "az1", reads("1.2", "h1"))
    assert announced(east, "az1") == "1.2"


def test_answers_to_an_older_ping_change_no_version(east: CellInMemory) -> None:
    before, _ = ping(east, "az1")
    ping(east, "az1")
    answer(east, before, "az1", reads("1.0", "h1"))
    assert announced(east, "az1") is None
    assert east.counters.as_dict()["dropped.response"] == 1


@pytest.mark.parametrize(
    "odd",
    [
        (),
        (Response("az1", error=exceptions.UnknownMethod("no ping")),),
        (Response("az1", "pong"),),
        (Response("az1", None),),
        (Response("az1", ["1.0"]),),
    ],
    ids=["none", "an error", "a text", "nothing", "a list"],
)
def test_an_answer_without_a_version_changes_nothing(east: CellInMemory, odd: tuple[Response, ...]) -> None:
    to_all, _ = ping(east, "az1")
    answer(east, to_all, "az1", reads("1.2", "h1"))
    answer(east, to_all, "az1", *odd)
    assert announced(east, "az1") == "1.2"
    assert "rejected.Bug" not in east.counters.as_dict()


def test_cells_that_are_left_out_are_counted_once(east: CellInMemory, caplog: pytest.LogCaptureFixture) -> None:
    """(case G6)."""
    for subtree, counted, lines in (
        ({"good": {}, "a b": {}}, 1, 1),
        ({"good": {}, "a b": {}}, 1, 1),
        ({"good": {}, "a b": {}, "c d": {}}, 3, 2),
        ({"good": {}}, 3, 2),
    ):
        _, to_one = ping(east, "az1")
        answer(east, to_one, "az1", Response("az1", {"version": "1.3", "host": "h", "subtree": subtree}))
        assert east.counters.as_dict()["left_out.cells"] == counted
        assert sum("left out" in record.getMessage() for record in caplog.records) == lines
