"""Errors of this project: text, details, and the rebuilding from args and kwargs."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.exceptions import CellsError
from tests.cases import each

# Without CellsError itself, which is never raised.
CLASSES = [
    found
    for found in vars(exceptions).values()
    if isinstance(found, type) and issubclass(found, CellsError) and found is not CellsError
]


@each("cls", CLASSES)
def test_an_error_has_a_message_and_a_cell(cls: type[CellsError]) -> None:
    error = cls("East is away.", cell="east")
    assert str(error) == error.message == "East is away."
    assert error.cell == "east"
    assert error.args == ("East is away.",)
    assert error.kwargs == {"cell": "east"}


@each("cls", CLASSES)
def test_args_and_kwargs_rebuild_every_detail(cls: type[CellsError]) -> None:
    error = cls("Away.", **dict.fromkeys(cls.DETAILS, "detail"))
    again = cls(*error.args, **error.kwargs)
    assert again.args == error.args
    assert {name: getattr(again, name) for name in cls.DETAILS} == dict.fromkeys(cls.DETAILS, "detail")


@each("cls", CLASSES)
def test_details_default_to_none(cls: type[CellsError]) -> None:
    assert {getattr(cls(), name) for name in cls.DETAILS} == {None}
    # The default text of MatchMakerException is part of a published interface.
    default = "Match not found by MatchMaker." if issubclass(cls, exceptions.MatchMakerException) else ""
    assert cls().message == default


@each("cls", CLASSES)
def test_an_undeclared_detail_is_refused(cls: type[CellsError]) -> None:
    with pytest.raises(TypeError, match="colour, taste"):
        cls("Away.", taste="sweet", colour="red")


def test_details_are_inherited() -> None:
    assert {"cell", "timeout_seconds"} == exceptions.CellTimeout.DETAILS
    assert {"cell", "hop_count"} == exceptions.MaxHopCountReached.DETAILS
    assert {"cell", "exc_type", "value", "traceback"} == exceptions.RemoteError.DETAILS


def test_errors_do_not_share_details() -> None:
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
