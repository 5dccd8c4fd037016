"""Texts of other cells on a terminal and in a log."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from cells import printable
from tests.cases import each

#: an escape sequence, line breaks, and a character that changes the direction of writing
HOSTILE = "a\x1b[2Jb\nc\rd\u2028e\u202ef\x9bg\U000e0001h\ud800i"


def test_characters_that_a_terminal_obeys_are_shown_as_numbers() -> None:
    """(case F4)"""
    shown = printable.line(HOSTILE)
    assert shown.isprintable()
    assert shown.startswith("a\\u001b[2Jb\\nc\\rd\\u2028e\\u202ef\\u009bg")
    assert printable.lines(HOSTILE).splitlines() == shown.split("\\n")


def test_other_characters_stay() -> None:
    assert printable.line("Größe 東 🙂 \\n") == "Größe 東 🙂 \\n"


def test_a_long_text_is_cut() -> None:
    shown = printable.line("x" * 50_000)
    assert len(shown) < 11_000
    assert "40000" in shown


@given(st.text() | st.just(HOSTILE))
def test_escaped_json_is_the_same_value(text: str) -> None:
    document = json.dumps({"key": [text]}, indent=2, ensure_ascii=False)
    assert json.loads(printable.lines(document)) == {"key": [text]}


@each("password", ["secret", "se/cret", "s?e#c@ret", "s@e@cret", "secret:1", "%40secret", "s***@ecret"])
def test_no_login_of_a_url_is_left(password: str) -> None:
    text = f"Cannot connect to amqp://guest:{password}@host:5672/v?x=1, or to postgresql://u:{password}@h/db now"
    shown = printable.without_logins(text)
    assert "ecret" not in shown
    assert shown == "Cannot connect to amqp://***@host:5672/v?x=1, or to postgresql://***@h/db now"


@each("text", ["no URL: a@b", "rabbit://h:1/v", "rabbit://u:***@h1:5672,u:***@h2/v"])
def test_texts_without_a_password_stay(text: str) -> None:
    assert printable.without_logins(text) == text
