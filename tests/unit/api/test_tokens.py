"""The file of tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from cells import exceptions
from cells.api import tokens
from tests.cases import each

GOOD = "t" * 20


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_of_tokens(tmp_path: Path) -> None:
    file = write(tmp_path / "tokens", f"# comment\n\ngrafana reader {GOOD}\nboss  admin\t{GOOD}2\n")
    found = tokens.read(file)
    assert [(token.client, token.role) for token in found] == [("grafana", "reader"), ("boss", "admin")]
    assert tokens.find(found, f"{GOOD}2") == found[1]
    assert tokens.find(found, GOOD[:-1]) is None
    assert GOOD not in repr(found)


@each("text", ["", "# none\n", "a b\n", f"a owner {GOOD}\n", "a admin short\n", f"a admin {GOOD}\nb reader {GOOD}\n"])
def test_a_wrong_file_is_refused_without_showing_tokens(tmp_path: Path, text: str) -> None:
    with pytest.raises(exceptions.ConfigurationError) as caught:
        tokens.read(write(tmp_path / "tokens", text))
    assert GOOD not in str(caught.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        tokens.read(write(tmp_path / "tokens", f"a admin {GOOD}\n", 0o640))


def test_a_missing_file_is_refused_with_the_command_that_creates_it(tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError) as caught:
        tokens.read(tmp_path / "none")
    assert "umask 077" in str(caught.value)
