"""Text of other cells made safe for a terminal and for a log.

A text from another cell may contain escape sequences, line breaks and characters that change the direction of
writing.  The commands and the logs of the daemon show such a character as its number, in the notation of JSON, so that
a text with escaped characters within a JSON document stays the same JSON value.
"""

from __future__ import annotations

import re

#: Longest text that is shown; a longer one is cut.
MAX_LENGTH = 10_000
_CUT = "... ({} characters more)"
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: user name and password of a URL within a text, up to the last @ before a blank or a quotation mark
_LOGIN = re.compile(r"(?<=://)[^\s\"'<>]*@")
#: logins of one host or of several that are hidden already
_HIDDEN = re.compile(r"(?:[^:@/?#]*:\*\*\*@(?:[^@,/?#]*,)?)+")


def line(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return ``text`` on one line, without characters that a terminal obeys or does not show, and cut to a length."""
    if len(text) > max_length:
        text = text[:max_length] + _CUT.format(len(text) - max_length)
    return text if text.isprintable() else "".join(map(_shown, text))


def lines(text: str) -> str:
    """Return ``text`` as :func:`line` does, but keep its lines and its length."""
    if text.isprintable():
        return text
    return "".join(character if character == "\n" else _shown(character) for character in text)


def without_logins(text: str) -> str:
    """Return ``text`` with ``***`` in place of the user name and the password of each URL in it.

    A password that is not encoded may contain the separators of a URL, so all of the text up to the last ``@`` goes.
    """
    return _LOGIN.sub(lambda found: found[0] if _HIDDEN.fullmatch(found[0]) else "***@", text)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character in _SHORT:
        return _SHORT[character]
    # JSON writes a character above 0xffff as two numbers.
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[index]:02x}{units[index + 1]:02x}" for index in range(0, len(units), 2))
