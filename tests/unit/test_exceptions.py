"""What all errors of this project share: a message, details, and a form that travels."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.exceptions import CellsError
from tests.cases import each

# Without CellsError itself, which nobody raises.
CLASSES = [
    found
    for found in vars(exceptions).values()
    if isinstance(found, type) and issubclass(found, CellsError) and found is not CellsError
]


@each("cls", CLASSES)
def test_takes_a_message_and_the_cell(cls: type[CellsError]) -> None:
    error = cls("East is away.", cell="east")
    assert str(error) == error.message == "East is away."
    assert error.cell == "east"
    assert error.args == ("East is away.",)
    assert error.kwargs == {"cell": "east"}


@each("cls", CLASSES)
def test_is_rebuilt_from_args_and_kwargs_with_every_detail(cls: type[CellsError]) -> None:
    error = cls("Away.", **dict.fromkeys(cls.DETAILS, "detail"))
    again = cls(*error.args, **error.kwargs)
    assert again.args == error.args
    assert {name: getattr(again, name) for name in cls.DETAILS} == dict.fromkeys(cls.DETAILS, "detail")


@each("cls", CLASSES)
def test_details_that_are_not_given_are_none(cls: type[CellsError]) -> None:
    assert {getattr(cls(), name) for name in cls.DETAILS} == {None}
    # The one with a text of its own is part of a published interface.
    default = "Match not found by MatchMaker." if cls is exceptions.MatchMakerException else ""
    assert cls().message == default


@each("cls", CLASSES)
def test_refuses_a_detail_that_it_does_not_declare(cls: type[CellsError]) -> None:
    with pytest.raises(TypeError, match=f"{cls.__name__} has no detail colour, taste"):
        cls("Away.", taste="sweet", colour="red")


def test_details_are_inherited() -> None:
    assert {"cell", "timeout_seconds"} == exceptions.CellTimeout.DETAILS
    assert {"cell", "hop_count"} == exceptions.MaxHopCountReached.DETAILS
    assert {"cell", "exc_type", "value", "traceback"} == exceptions.RemoteError.DETAILS


def test_details_of_one_error_are_not_those_of_another() -> None:
    assert exceptions.AmbiguousCell("x", candidates=["a"]).candidates == ["a"]
    assert exceptions.AmbiguousCell("x").candidates is None


@each(
    ("base", "raised"),
    [
        (exceptions.RoutingError, exceptions.CellNotFound),
        (exceptions.DeliveryError, exceptions.NeighborBusy),
        (exceptions.MessageError, exceptions.MessageTooLarge),
        (exceptions.CallTimeout, exceptions.ManagerTimeout),
        (exceptions.NeighborError, exceptions.NeighborExists),
        (exceptions.DatabaseError, exceptions.SchemaOutdated),
        (exceptions.ConfigurationError, exceptions.PluginError),
    ],
)
def test_a_family_is_caught_by_its_base(base: type[CellsError], raised: type[CellsError]) -> None:
    with pytest.raises(base):
        raise raised("x")
