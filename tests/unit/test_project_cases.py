"""``each`` checks every case, names each failed case, and leaves the fixtures to pytest."""

from __future__ import annotations

import inspect

import pytest

from tests.cases import each


def test_each_case_is_checked_and_each_failed_case_is_named() -> None:
    checked = []

    @each("number", [1, 2, 3, 4])
    @each(("word", "size"), [("a", 1), pytest.param("b", 2)])
    def check(number: int, word: str, size: int) -> None:
        checked.append((number, word))
        assert number != 2, "two is wrong"
        if (number, size) == (3, 2):
            with pytest.raises(KeyError):
                pass

    with pytest.raises(AssertionError, match="3 of 8 cases failed") as caught:
        check()
    assert checked == [(number, word) for number in (1, 2, 3, 4) for word in "ab"]
    named = [line.partition("]")[0] for line in str(caught.value).splitlines() if line.startswith("[")]
    assert named == ["[number=2, word='a', size=1", "[number=2, word='b', size=2", "[number=3, word='b', size=2"]
    assert "two is wrong" in str(caught.value)


def test_other_arguments_are_fixtures() -> None:
    @each("number", [1, 2], ids=lambda number: "x" * 100)
    def check(place: str, number: int) -> None:
        assert place == "here"
        assert number == 1

    assert list(inspect.signature(check).parameters) == ["place"]
    with pytest.raises(AssertionError, match=rf"1 of 2 cases failed:\n\[number={'x' * 60}\.\.\.\] "):
        check(place="here")


def test_invalid_tables_are_errors() -> None:
    with pytest.raises(AssertionError, match="without cases"):
        each("number", [])
    with pytest.raises(AssertionError, match="does not take"):
        each("word", ["a"])(lambda number: None)
    with pytest.raises(AssertionError, match="parametrize"):
        each("number", [pytest.param(1, marks=pytest.mark.rabbitmq)])
