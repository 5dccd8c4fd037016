"""Arguments of remote methods on the command line."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells.cli.arguments import argument
from tests.cases import each
from tests.json_values import JSON


@given(value=JSON)
def test_any_json_value_can_be_given(value: Any) -> None:
    assert argument(f"name:={json.dumps(value)}") == ("name", value)


@given(text=st.text())
def test_any_text_can_be_given(text: str) -> None:
    assert argument(f"name={text}") == ("name", text)


@each(
    ("word", "told"),
    [
        ("word", "name=text"),
        ("", "name=text"),
        ("=x", "name=text"),
        (":=1", "name=text"),
        ("a:=", "JSON"),
        ("a:=x", "JSON"),
        ("a:={'b': 1}", "JSON"),
        ("a:=NaN", "NaN"),
        ("a:=" + "[" * 100_000, "JSON"),
    ],
)
def test_malformed_argument_is_refused(word: str, told: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=told):
        argument(word)
