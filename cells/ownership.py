"""Check that no other user can have written a file that a program finds by itself."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def check_is_ours(path: Path) -> None:
    """Check that this user or root owns a file or directory, and that no other user may write to it.

    :raises PermissionError: another user owns it or the link to it, or may write to it
    :raises OSError: it does not exist, or cannot be looked at
    """
    entry, found = os.lstat(path), os.stat(path)
    if {entry.st_uid, found.st_uid} - {0, os.geteuid()} or stat.S_IMODE(found.st_mode) & 0o022:
        raise PermissionError(f"{path} belongs to another user, or another user may write to it")
