"""Refused messages: only a neighbor whose link is known to be its own gets an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cells import exceptions
from cells.counters import Counters
from cells.messages import Message, Origin, ResponseMessage
from cells.neighbors import NeighborTable
from cells.neighbors.neighbor import Neighbor
from cells.routing.outcomes import Outcomes
from cells.routing.refusals import Refusals
from cells.routing.reply import Reply
from tests.clock import Clock

TOO_LARGE = exceptions.MessageTooLarge("It is too large.")


class Cell:
    """The cell api, with a parent and two children, and the replies that it sends."""

    def __init__(self) -> None:
        self.replies: list[tuple[Message, Reply]] = []
        table = NeighborTable(300.0, Clock())
        table.replace([Neighbor(name, "", name == "top", driver="direct") for name in ("top", "east", "west")])
        self.counters = Counters()
        self.refusals = Refusals(
            cell_name="api",
            table=table,
            counters=self.counters,
            outcomes=Outcomes(),
            max_message_bytes=10_000,
            max_hop_count=10,
            reply=lambda message, reply: self.replies.append((message, reply)),
        )


@pytest.fixture
def cell() -> Cell:
    return Cell()


def text(route: str, **keys: Any) -> str:
    message = {"message_type": "targeted", "method_name": "m", "direction": "up", "need_response": True}
    return json.dumps({**message, "uuid": "u", "routing_path": route, "target_cell": f"{route}!api", **keys})


def answer(route: str) -> str:
    kwargs = {"responses": [], "orig_message": "{}"}
    return text(route, message_type="response", response_uuid="asked", ctxt={}, method_kwargs=kwargs)


def test_a_neighbor_is_told_about_its_request(cell: Cell) -> None:
    cell.refusals.refuse(text("az1!east"), TOO_LARGE, Origin("direct", "east"))
    ((message, reply),) = cell.replies
    assert str(message.route) == "az1!east!api"
    assert reply.read_one(["cells.exceptions"]).error.args == TOO_LARGE.args  # type: ignore[union-attr]
    assert cell.counters.as_dict() == {"rejected.MessageTooLarge": 1}


def test_a_refused_answer_still_ends_its_call(cell: Cell) -> None:
    cell.refusals.refuse(answer("east"), TOO_LARGE, Origin("direct", "east"))
    ((message, _),) = cell.replies
    assert isinstance(message, ResponseMessage)
    assert message.response_to == "asked"


@pytest.mark.parametrize("write", [text, answer])
@pytest.mark.parametrize("route", ["east", "top", "api", "nowhere", "west!east"])
def test_no_cell_hears_of_a_message_that_another_one_sent(cell: Cell, write: Any, route: str) -> None:
    cell.refusals.refuse(write(route), TOO_LARGE, Origin("direct", "west"))
    assert cell.replies == []
    assert cell.counters.as_dict() == {"rejected.WrongLink": 1}


def test_a_login_to_the_broker_ends_no_call_of_a_neighbor_with_a_direct_link(cell: Cell) -> None:
    cell.refusals.refuse(answer("east"), TOO_LARGE, Origin("rpc"))
    assert cell.replies == []
    assert cell.counters.as_dict() == {"rejected.WrongLink": 1}
