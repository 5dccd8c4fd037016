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
        *((word, "name=text") for word in ("word", "", "=x", ":=1")),
        *((f"a:={text}", "JSON") for text in ("", "x", "{'b': 1}", "[" * 100_000)),
        ("a:=NaN", "NaN"),
    ],
)
def test_malformed_argument_is_refused(word: str, told: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=told):
        argument(word)
