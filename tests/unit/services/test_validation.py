"""Checks of single values: a right value is returned, a wrong value raises the error of the caller's choice."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.services.validation import MAX_NAME_BYTES, want, want_name


def test_a_value_of_the_right_type_is_returned() -> None:
    assert want("a", str, "name") == "a"


def test_a_name_is_measured_in_bytes() -> None:
    longest = "ö" * (MAX_NAME_BYTES // 2)
    assert want_name(longest, "A topic") == longest
    with pytest.raises(exceptions.InvalidArguments, match="A topic"):
        want_name(longest + "ö", "A topic")


@pytest.mark.parametrize("refusal", [exceptions.InvalidArguments, exceptions.MalformedMessage])
def test_the_caller_chooses_the_error(refusal: type[exceptions.CellsError]) -> None:
    with pytest.raises(refusal):
        want(7, str, "name", refusal)
    for name in (None, 7, "", "two\nlines"):
        with pytest.raises(refusal, match="A topic"):
            want_name(name, "A topic", refusal)
