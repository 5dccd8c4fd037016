"""Rows of neighbors: invalid values are refused, and no password is shown."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cells import exceptions
from cells.neighbors.neighbor import COLUMNS, Neighbor
from tests.cases import each

URL = "rabbit://u:s3kr3t@h:5672/v"


def test_defaults() -> None:
    row = Neighbor("east", URL, is_parent=False)
    assert row.as_dict() == {
        "name": "east",
        "transport_url": URL,
        "is_parent": False,
        "driver": "rpc",
        "api_url": None,
        "weight_offset": 0.0,
        "weight_scale": 1.0,
        "version_cap": None,
        "allowed_methods": None,
        "max_foreign_seconds": None,
        "addresses": None,
        "certificates": None,
        "certificate_path": None,
        "also_accept": None,
    }
    assert tuple(row.as_dict()) == COLUMNS


def test_repr_shows_all_but_the_password() -> None:
    text = repr(Neighbor("east", URL, is_parent=True))
    assert "s3kr3t" not in text
    assert "rabbit://u:***@h:5672/v" in text
    assert "'east'" in text


def test_rows_with_weights_of_different_number_types_are_equal() -> None:
    assert Neighbor("east", URL, False, weight_scale=1) == Neighbor("east", URL, False, weight_scale=1.0)
    assert isinstance(Neighbor("east", URL, False, weight_offset=3).weight_offset, float)


@each(
    ("changes", "told"),
    [
        pytest.param({"name": ""}, "name", id="empty-name"),
        pytest.param({"name": "a!b"}, "'!'", id="separator-in-name"),
        pytest.param({"name": "a b"}, "blanks", id="blank-in-name"),
        pytest.param({"name": "x" * 256}, "255", id="long-name"),
        pytest.param({"name": 7}, "name", id="name-of-a-wrong-type"),
        pytest.param({"transport_url": "rabbit:s3kr3t"}, "transport", id="bad-url"),
        pytest.param({"transport_url": None}, "transport", id="no-url"),
        pytest.param({"transport_url": f"rabbit://u:{'s3kr3t' * 20000}@h/"}, "longer", id="long-url"),
        pytest.param({"is_parent": "yes"}, "is_parent", id="type-in-words"),
        pytest.param({"is_parent": 1}, "is_parent", id="type-as-number"),
        pytest.param({"driver": ""}, "driver", id="empty-driver"),
        pytest.param({"driver": None}, "driver", id="no-driver"),
        pytest.param({"driver": "x" * 256}, "driver", id="long-driver"),
        pytest.param({"api_url": "http://x\n"}, "api_url", id="line-feed-in-api-url"),
        pytest.param({"api_url": 5}, "api_url", id="api-url-of-a-wrong-type"),
        pytest.param({"weight_offset": math.nan}, "weight_offset", id="nan"),
        pytest.param({"weight_scale": math.inf}, "weight_scale", id="infinite"),
        pytest.param({"weight_scale": 10**400}, "weight_scale", id="too-large"),
        pytest.param({"weight_scale": "1"}, "weight_scale", id="weight-as-text"),
        pytest.param({"version_cap": 1.1}, 'such as "1.1"', id="cap-as-number"),
        pytest.param({"version_cap": "1.1\n"}, "version_cap", id="line-feed-in-cap"),
        pytest.param({"version_cap": "x" * 256}, "version_cap", id="long-cap"),
        pytest.param({"weight_scale": True}, "weight_scale", id="weight-as-bool"),
    ],
)
def test_invalid_value_is_refused(changes: dict[str, Any], told: str) -> None:
    values = {"name": "east", "transport_url": URL, "is_parent": False, **changes}
    with pytest.raises(exceptions.InvalidNeighbor, match=told) as caught:
        Neighbor(**values)
    assert "s3kr3t" not in str(caught.value)


@each("cap", ["1.1", "auto", "Stein", "9.9", "", "x" * 255])
def test_a_row_accepts_any_text_as_cap(cap: str) -> None:
    # A cap of a newer release must not invalidate the row.
    assert Neighbor("east", URL, False, version_cap=cap).version_cap == cap


def test_from_mapping_takes_a_row_with_or_without_its_name() -> None:
    row = Neighbor("east", URL, False, weight_offset=2.5)
    assert Neighbor.from_mapping("east", row.as_dict()) == row
    assert Neighbor.from_mapping("east", {"transport_url": URL, "is_parent": True}).is_parent


@each(
    ("mapping", "told"),
    [
        pytest.param(
            {"transport_url": URL, "is_parent": False, "wieght_scale": 1}, "wieght_scale.*weight_scale", id="typo"
        ),
        pytest.param({"is_parent": False}, "lacks transport_url", id="no-url"),
        pytest.param({}, "lacks is_parent and transport_url", id="empty"),
        pytest.param([], "object", id="list"),
        pytest.param(None, "object", id="null"),
        pytest.param({"transport_url": URL, "is_parent": False, "name": "west"}, "called 'west'", id="another-name"),
        pytest.param({"transport_url": URL, "is_parent": 0}, "is_parent", id="wrong-type"),
    ],
)
def test_from_mapping_names_the_error(mapping: Any, told: str) -> None:
    with pytest.raises(exceptions.InvalidNeighbor, match=told) as caught:
        Neighbor.from_mapping("east", mapping)
    assert "east" in str(caught.value)
    assert "s3kr3t" not in str(caught.value)
