"""Messages of this cell's services, and the requests that are refused before they leave."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions
from cells.counters import Counters
from cells.manager.message_factory import OutgoingMessages
from cells.neighbors import Direction, NeighborTable
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.topology import Topology


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def outgoing(counters: Counters) -> OutgoingMessages:
    table = NeighborTable(300.0)
    rows = [Neighbor("api", "memory://api", is_parent=True), Neighbor("az1", "memory://az1", is_parent=False)]
    table.replace(rows)
    return OutgoingMessages(topology=Topology("east", table), table=table, counters=counters, max_hop_count=7)


def targeted(outgoing: OutgoingMessages, cell: str, **others: Any) -> Any:
    asked: dict[str, Any] = {"method": "ping", "kwargs": {}, "needs_response": True, **others}
    return outgoing.targeted({"user_id": "ada"}, cell, asked.pop("method"), asked.pop("kwargs"), **asked)


@pytest.mark.parametrize(
    ("cell", "direction"), [("az1", Direction.DOWN), ("api", Direction.UP), ("east", Direction.DOWN)]
)
def test_a_message_starts_toward_its_target(outgoing: OutgoingMessages, cell: str, direction: Direction) -> None:
    message = targeted(outgoing, cell)
    assert (message.header.target.first, message.header.target.last, message.header.direction) == (
        "east",
        cell,
        direction,
    )
    assert (str(message.route), message.header.max_hop_count, message.content().context) == (
        "east",
        7,
        {"user_id": "ada"},
    )


def test_a_message_that_is_sent_again_has_the_same_id_and_others_have_their_own(outgoing: OutgoingMessages) -> None:
    assert targeted(outgoing, "az1", message_id="the-id").id == "the-id"
    assert targeted(outgoing, "az1").id != targeted(outgoing, "az1").id


@pytest.mark.parametrize("wrong", [{"method": 7}, {"kwargs": []}, {"kwargs": None}, {"message_id": 7}], ids=str)
def test_an_argument_of_a_wrong_type_is_refused(outgoing: OutgoingMessages, wrong: dict[str, Any]) -> None:
    with pytest.raises(exceptions.InvalidArguments):
        targeted(outgoing, "az1", **wrong)


def test_an_unknown_cell_is_refused(outgoing: OutgoingMessages) -> None:
    with pytest.raises(exceptions.CellNotFound):
        targeted(outgoing, "nowhere")


def test_a_broadcast_goes_in_one_direction(outgoing: OutgoingMessages) -> None:
    message = outgoing.broadcast({}, "ping", {}, "up", needs_response=False, run_locally=False)
    assert (message.header.direction, message.header.run_locally, message.needs_response) == (
        Direction.UP,
        False,
        False,
    )
    with pytest.raises(exceptions.InvalidArguments, match="sideways"):
        outgoing.broadcast({}, "ping", {}, "sideways", needs_response=False)


def test_a_context_that_is_none_is_empty(outgoing: OutgoingMessages) -> None:
    assert outgoing.broadcast(None, "ping", {}, "up", needs_response=False).content().context == {}


def test_refusals_are_counted_and_raised(outgoing: OutgoingMessages, counters: Counters) -> None:
    with pytest.raises(exceptions.CellNotFound), outgoing.counting_refusals("call"):
        targeted(outgoing, "nowhere")
    assert counters.as_dict() == {"refused.CellNotFound": 1}
