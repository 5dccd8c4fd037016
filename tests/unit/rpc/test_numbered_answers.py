from __future__ import annotations

from cells.rpc.numbered_answers import NumberedAnswers


def test_values_are_numbered_until_the_iterator_is_closed() -> None:
    closed: list[bool] = []
    with NumberedAnswers(iter("abc"), lambda: closed.append(True)) as answers:
        assert iter(answers) is answers
        assert [next(answers), next(answers)] == [(0, "a"), (1, "b")]
        assert not closed
    assert closed == [True]
    assert list(answers) == []


def test_the_iterator_ends_after_the_last_value() -> None:
    assert list(NumberedAnswers(iter([KeyError]), lambda: None)) == [(0, KeyError)]
    assert list(NumberedAnswers(iter([]), lambda: None)) == []
