"""Differences between the registered neighbors and those of a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest

from cells import exceptions
from cells.certificates import issuing
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.row_changes import RowChanges, compare
from cells.path import CellPath
from tests.cases import each
from tests.unit.certificates.made import NOW

URL = "rabbit://u:s3kr3t@h1,u:s3kr3t@h2/v"
MASKED = "rabbit://u:***@h1,u:***@h2/v"
EAST = Neighbor("east", URL, is_parent=False)
WEST = Neighbor("west", URL, is_parent=False)


def changes(registered: Iterable[Neighbor], wanted: Iterable[Neighbor], *, prune: bool = False) -> RowChanges:
    return compare({row.name: row.as_dict() for row in registered}, wanted, prune=prune)


def test_rows_are_created_changed_and_kept_or_removed() -> None:
    heavier = dataclasses.replace(WEST, weight_scale=2.0, api_url="http://x")
    found = changes([EAST, WEST], [heavier, Neighbor("new", URL, is_parent=True)])
    assert ([row.name for row in found.created], found.unchanged, found.kept) == (["new"], [], ["east"])
    assert [(change.row, change.columns) for change in found.changed] == [(heavier, ["api_url", "weight_scale"])]
    assert found.removed == []
    pruned = changes([EAST, WEST], [WEST], prune=True)
    assert ([row["name"] for row in pruned.removed], pruned.unchanged, pruned.kept) == (["east"], ["west"], [])


def test_a_masked_password_keeps_the_registered_one() -> None:
    found = changes([EAST], [dataclasses.replace(EAST, transport_url=MASKED, weight_offset=1)])
    assert [(change.row.transport_url, change.columns) for change in found.changed] == [(URL, ["weight_offset"])]


@each(
    ("registered", "url"),
    [
        ([], MASKED),
        ([EAST], "rabbit://u:***@h1,u:***@h3/v"),
        ([EAST], "rabbit://u:***@h1,u:new@h2/v"),
        ([EAST], "rabbit://w:***@h1,w:***@h2/v"),
        ([dataclasses.replace(EAST, transport_url="rabbit://h1/")], "rabbit://u:***@h1/"),
    ],
)
def test_a_masked_password_of_another_url_is_refused(registered: list[Neighbor], url: str) -> None:
    with pytest.raises(exceptions.InvalidNeighbor, match=r"'east'.*masked.*--show-secrets") as caught:
        changes(registered, [Neighbor("east", url, is_parent=False)])
    assert caught.value.cell == "east"
    assert "s3kr3t" not in caught.value.message


def test_all_invalid_rows_are_named() -> None:
    with pytest.raises(exceptions.InvalidNeighbor, match=r"'east'.* 'west'"):
        changes([], [Neighbor(name, MASKED, is_parent=False) for name in ("east", "west")])


def test_a_certificate_belongs_to_one_neighbor() -> None:
    pem = issuing.self_signed(CellPath.parse("api!east"), issuing.new_key(), now=NOW, days=1)
    east, west = (Neighbor(name, "", False, driver="direct", certificates=pem) for name in ("east", "west"))
    with pytest.raises(exceptions.InvalidNeighbor, match=r"west.* east"):
        changes([east], [west])
    # The row that has it now goes, or gives it up.
    assert changes([east], [west], prune=True).created == [west]
    without = dataclasses.replace(east, certificates=None)
    assert [change.row for change in changes([east], [without, west]).changed] == [without]


def test_a_row_that_was_damaged_by_hand_is_repaired() -> None:
    damaged: dict[str, Any] = {**EAST.as_dict(), "transport_url": "no URL", "certificates": "no certificate"}
    found = compare({"east": damaged}, [EAST], prune=False)
    assert [change.columns for change in found.changed] == [["transport_url", "certificates"]]
    assert compare({"east": damaged}, [WEST], prune=False).kept == ["east"]
