"""The outcome of a fan-out."""

from __future__ import annotations

from cells import exceptions
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.message import Message, copies
from tests.cases import each

GONE = exceptions.ManagerGone("gone")
LOST = exceptions.NeighborUnreachable("lost")


@each(
    ("outcomes", "expected"),
    [
        ([None, None], None),
        ([None, GONE], None),
        ([GONE, None], None),
        ([GONE, GONE], GONE),
        ([None, LOST], LOST),
        ([GONE, LOST], LOST),
        ([LOST, None], LOST),
    ],
)
def test_a_fan_out_has_one_outcome(
    outcomes: list[exceptions.CellsError | None], expected: exceptions.CellsError | None
) -> None:
    found: list[exceptions.CellsError | None] = []
    message = Message(message_class=MessageClass.REQUEST, payload=b"x", on_done=found.append, fanout=True, deadline=7.0)
    first, second = copies(message, ["host-1", "host-2"])
    assert [(one.server, one.payload, one.fanout, one.deadline) for one in (first, second)] == [
        ("host-1", b"x", False, 7.0),
        ("host-2", b"x", False, 7.0),
    ]
    first.on_done(outcomes[0])
    assert found == []
    second.on_done(outcomes[1])
    assert found == [expected]
