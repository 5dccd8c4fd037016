"""The file of [cells_api] tokens_file: clients, their roles and their tokens."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cells import exceptions, private_files

ROLES = ("reader", "admin")
MIN_LENGTH = 20


@dataclass(frozen=True)
class Token:
    """One client.  The token itself is not kept."""

    client: str
    role: str
    digest: bytes = field(repr=False)


def digest_of(token: str) -> bytes:
    """Return the SHA-256 of a token: comparisons of digests take the same time for tokens of any length."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def find(tokens: Iterable[Token], given: str) -> Token | None:
    """Return the client of a token; the time that it takes does not depend on the tokens."""
    digest, found = digest_of(given), None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found


def read(path: Path) -> list[Token]:
    """Return the tokens of a file.

    :raises cells.exceptions.ConfigurationError: the file is missing, other users can read it, or a line is wrong
    """
    replace = f"python3 -c 'import secrets; print(\"admin admin\", secrets.token_urlsafe(32))' > {path}"
    try:
        private_files.check_is_private(path, replace)
        with private_files.reading(path):
            text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise exceptions.ConfigurationError(
            f"[cells_api] tokens_file = {path} does not exist: run '(umask 077; {replace})'."
        ) from None
    except UnicodeDecodeError:
        raise exceptions.ConfigurationError(f"[cells_api] tokens_file = {path} is not UTF-8.") from None
    tokens: list[Token] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        # The errors do not show the line, which has a token.
        where = f"Line {number} of [cells_api] tokens_file = {path}"
        if len(words) != 3 or words[1] not in ROLES:
            raise exceptions.ConfigurationError(f"{where} must be: NAME ROLE TOKEN, with one of the roles {ROLES}.")
        if len(words[2]) < MIN_LENGTH:
            raise exceptions.ConfigurationError(f"{where} has a token of less than {MIN_LENGTH} characters.")
        token = Token(words[0], words[1], digest_of(words[2]))
        if any(token.digest == other.digest for other in tokens):
            raise exceptions.ConfigurationError(f"{where} has the token of another line.")
        tokens.append(token)
    if not tokens:
        raise exceptions.ConfigurationError(f"[cells_api] tokens_file = {path} has no token.")
    return tokens
