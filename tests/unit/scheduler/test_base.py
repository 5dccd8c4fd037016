"""Contract of filters and weighers, and the examples of the documentation."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from cells.scheduler import CellFilter, CellWeigher, Scheduler, any_cell
from tests.unit.scheduler.candidates import ANY, child

PAGE = Path(__file__).parents[3] / "doc" / "source" / "admin" / "scheduling.rst"


def documented() -> dict[str, Any]:
    """Return the names that the example of the documentation defines."""
    found = re.search(r"code-block:: python\n\n(.*?)\n\n(?=\S)", PAGE.read_text(), flags=re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(textwrap.dedent(found[1]), names)
    return names


def test_plug_ins_must_implement_the_abstract_method() -> None:
    with pytest.raises(TypeError, match="reject"):
        CellFilter("x")  # type: ignore[abstract]
    with pytest.raises(TypeError, match="weigh"):
        CellWeigher("x")  # type: ignore[abstract]


def test_the_documented_filter_works() -> None:
    same_region = documented()["SameRegion"]("same_region")
    assert same_region.name == "same_region"
    candidates = [
        child("api!east", capabilities={"region": ["eu"]}),
        child("api!west", capabilities={"region": ["us"]}),
    ]
    assert Scheduler([same_region], []).rank(candidates, any_cell(hints={"region": "eu"})).rejected == {
        "api!west": "it is not in region eu"
    }
    assert Scheduler([same_region], []).rank(candidates, ANY).rejected == {}


def test_the_documented_weigher_works() -> None:
    few_cells_below = documented()["FewCellsBelow"]("few_cells_below")
    candidates = [
        child("api!large", subtree={"a": {"b": {}}}),
        child("api!small"),
        child("api!middle", subtree={"a": {}}),
    ]
    ranking = Scheduler([], [few_cells_below]).rank(candidates, ANY)
    assert [candidate.name for candidate in ranking.chosen] == ["small", "middle", "large"]
