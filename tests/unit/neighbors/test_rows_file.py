"""The file of neighbors in YAML and JSON."""

from __future__ import annotations

import functools
import json

import pytest

from cells import exceptions
from cells.certificates import issuing
from cells.neighbors import rows_file
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from tests.cases import each
from tests.unit.certificates.made import NOW

URL = "rabbit://u:s3kr3t@h:5672/v"


@functools.cache
def rows() -> list[Neighbor]:
    pem = issuing.self_signed(CellPath.parse("api!edge"), issuing.new_key(), now=NOW, days=1)
    return [
        Neighbor("1.0", URL, is_parent=False, version_cap="1.1", weight_scale=2.5, allowed_methods=""),
        Neighbor("edge", "", is_parent=False, driver="direct", certificates=pem, addresses="h:1,[::1]:2"),
        Neighbor("no", "rabbit://ü:%F0%9F%98%80@[::1]:5673/東😀", is_parent=True, api_url="https://x/#y: z"),
        Neighbor("ost-東", URL, is_parent=False, driver="memory", max_foreign_seconds=7, also_accept="direct"),
    ]


def test_a_written_file_is_read_back() -> None:
    text = rows_file.write(rows())
    assert rows_file.read(text, "x.yaml") == rows()
    assert "weight_offset" not in text
    assert "  certificates: |" in text


def test_no_rows() -> None:
    assert rows_file.read(rows_file.write([]), "x.yaml") == []


def test_yaml_and_json_give_the_same_rows() -> None:
    data = {row.name: {key: value for key, value in row.as_dict().items() if key != "name"} for row in rows()}
    assert rows_file.read(json.dumps(data), "x.json") == rows()


@each(
    ("text", "problem"),
    [
        (f"east:\n  transport_url: {URL}\neast:\n  transport_url: {URL}\n", "'east' is there twice"),
        (f'{{"east": {{"is_parent": true, "is_parent": false, "transport_url": "{URL}"}}}}', "'is_parent' is there"),
        ("a: &a {x: 1}\nb: *a\n", "alias"),
        ("a: &a [*a]\n", "alias"),
        ("east: !!python/object:os.system {}\n", "line 1"),
        (f"east:\n  transport_url: {URL}\n is_parent: true\n", "line 3"),
        (f"east: {{transport_url: {URL}, is_parent: false, version_cap: 1.1}}", "version_cap"),
        (f"east: {{transport_url: {URL}, is_parent: 2001-99-99}}", "month"),
        (f"1: {{transport_url: {URL}, is_parent: false}}", "name"),
        ("- east\n", "list"),
        ("east: |\n  " + URL, "object with the columns"),
        (f"east: {{transport_url: *{URL}}}", "line 1"),
        ("a: \x00", "characters"),
        ("[" * 100_000, "cannot be read"),
        ("- " * 100_000, "cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_a_wrong_file_is_a_configuration_error_without_a_password(text: str, problem: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=problem) as caught:
        rows_file.read(text, "x.yaml")
    assert "x.yaml" in caught.value.message
    assert "s3kr3t" not in caught.value.message
