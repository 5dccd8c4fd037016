"""Files that are written completely or not at all, and private ones, which are refused if other users can read them."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cells import exceptions


def write(path: Path, text: str, *, mode: int) -> None:
    """Write the file atomically: a concurrent reader sees the old content or the new content.

    :param mode: the permissions of the file, whatever the umask
    :raises OSError: the file cannot be written
    """
    # Only this user can read a file that mkstemp created.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_is_private(path: Path, replace: str) -> None:
    """Check that only this user can read the file.

    :param replace: the command that replaces the key, for the error
    :raises FileNotFoundError: the file does not exist
    :raises cells.exceptions.ConfigurationError: other users can read the file, or it belongs to another user
    """
    with reading(path):
        found = path.stat()
    user = os.geteuid()
    if found.st_uid != user:
        raise exceptions.ConfigurationError(
            f"{path} belongs to another user than this process, whose user ID is {user}: create the key as the user "
            f"that runs the services, or run 'chown {user} {path}'."
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise exceptions.ConfigurationError(
            f"Other users can read the key in {path}: run 'chmod 600 {path}'. If the key may have been read, run "
            f"'{replace}'."
        )


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError of the block, except FileNotFoundError, into a ConfigurationError: ``path`` cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise exceptions.ConfigurationError(
            f"{path} cannot be read: {error.strerror}. Run this as the user that runs the services."
        ) from error


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a ConfigurationError: ``path`` cannot be written."""
    try:
        yield
    except OSError as error:
        raise exceptions.ConfigurationError(
            f"{path} cannot be written: {error.strerror}. Run this as the user that runs the services, and check that "
            "this user owns the directory."
        ) from error
