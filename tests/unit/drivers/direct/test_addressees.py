"""The managers of a cell for which a message of a neighbor is."""

from __future__ import annotations

from typing import Any

import pytest

from cells.drivers.direct.addressees import is_fanout, other_manager
from cells.messages import ResponseMessage, TargetedMessage
from cells.neighbors import Direction
from cells.path import CellPath
from cells.versions import CURRENT, OLDEST


def answer(route: str, target: str, *, server: str = "api-2", version: str = CURRENT) -> dict[str, Any]:
    """Return an answer as it leaves the last cell of ``route`` for the first cell of ``target``."""
    asked = TargetedMessage.new(
        method="where",
        direction=Direction.DOWN,
        needs_response=True,
        route=CellPath.parse(target).reversed(),
        target=CellPath.parse(target).reversed(),
        reply_server=server,
    )
    made = ResponseMessage.answering(asked, [])
    header = made.header.forwarded(Direction.UP)
    values = {"route": CellPath.parse(route)}
    return dict(type(header)(**{**vars_of(header), **values}).form(version).keys)


def vars_of(header: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(header).items() if name in type(header).__dataclass_fields__}


def test_an_answer_names_the_manager_that_waits() -> None:
    message = answer("east", "east!api")
    assert other_manager(message, "api", ("api-1", "api-2")) == "api-2"
    assert other_manager(message, "api", ("api-1",)) == ""


def test_an_answer_on_its_way_to_another_cell_may_name_a_manager_of_that_cell() -> None:
    message = answer("az1", "az1!east!api")
    assert other_manager(message, "east", ("api-2",)) == ""


@pytest.mark.parametrize(
    "damage",
    [
        {"routing_path": None},
        {"target_cell": 7},
        {"target_cell": "!"},
        {"reply_server": ["api-2"]},
        {"message_type": "targeted"},
    ],
    ids=str,
)
def test_a_damaged_message_stays_here(damage: dict[str, object]) -> None:
    assert other_manager({**answer("east", "east!api"), **damage}, "api", ("api-2",)) == ""


def test_an_answer_in_the_oldest_form_is_a_fanout() -> None:
    assert is_fanout(answer("east", "east!api", version=OLDEST))
    assert not is_fanout(answer("east", "east!api"))
    assert not is_fanout({})
