"""Directory of the sockets through which processes on one machine reach each other.

The driver creates its sockets in this directory and finds those of other processes there.
The directory is the access control: a user that may not enter it cannot connect, whatever
the mode of a socket, and cannot add a socket.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import stat
import tempfile
import time
from pathlib import Path

from oslo_config import cfg

from cells import exceptions

SUFFIX = ".sock"
#: limit of the kernel for a socket's path, without the final NUL
MAX_PATH_BYTES = 107
#: A socket that is bound but does not listen yet looks like a stale socket.
STARTING_SECONDS = 5.0
_RANDOM_BYTES = 6


def default_directory(conf: cfg.ConfigOpts) -> Path:
    """Return the directory of the sockets if the option ipc_dir is not set.

    The directory is ``sockets`` under ``state_path``.  If ``state_path`` is not registered,
    because the service is not part of this project, the directory is ``cells-zmq`` under the
    user's run-time directory.
    """
    state_path = getattr(conf, "state_path", None)
    if state_path:
        return Path(state_path) / "sockets"
    runtime_directory = os.environ.get("XDG_RUNTIME_DIR")
    if runtime_directory:
        return Path(runtime_directory) / "cells-zmq"
    return Path(tempfile.gettempdir()) / f"cells-zmq-{os.geteuid()}"


def private_directory(path: str | Path) -> Path:
    """Create the directory and its parents, or check that only this user may enter it.

    :raises cells.exceptions.ConfigurationError: the directory cannot be created, is not a
        directory, belongs to another user, or other users may enter it
    """
    directory = Path(path)
    if not directory.is_absolute():
        raise exceptions.ConfigurationError(f"The socket directory {str(path)!r} must be an absolute path.")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        entry, found = directory.lstat(), directory.stat()
    except OSError as error:
        raise _unusable(directory, error.strerror or str(error)) from error
    if not stat.S_ISDIR(found.st_mode):
        raise _unusable(directory, "it is not a directory")
    # A symbolic link in a directory like /tmp could belong to any user and lead anywhere.
    if {entry.st_uid, found.st_uid} - {os.geteuid()}:
        raise _unusable(directory, f"it belongs to another user than this process, whose user ID is {os.geteuid()}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise exceptions.ConfigurationError(
            f"Other users may enter the socket directory {directory}, and so send messages to this cell: run "
            f"'chmod 700 {directory}', or set [oslo_messaging_zmq] ipc_dir to another directory."
        )
    return directory


def new_socket_path(directory: Path) -> Path:
    """Return a path for a new socket, unique to this process.

    Bind the socket in a directory that :func:`private_directory` returned, then remove the
    permissions that the umask left: ``socket.bind(f"ipc://{path}"); path.chmod(0o600)``.  The
    time between the two calls is safe, since no other user may enter the directory.

    :raises cells.exceptions.ConfigurationError: the path is too long for a socket
    """
    path = directory / f"{secrets.token_hex(_RANDOM_BYTES)}{SUFFIX}"
    length = len(os.fsencode(path))
    if length > MAX_PATH_BYTES:
        raise exceptions.ConfigurationError(
            f"The path of the socket directory {directory} is too long: the path of a socket in it would have "
            f"{length} bytes, and the system allows {MAX_PATH_BYTES}. Set [oslo_messaging_zmq] ipc_dir to a shorter "
            "path."
        )
    return path


def live_sockets(directory: Path) -> list[Path]:
    """Return the sockets in ``directory``, ordered by name; an empty list if the directory does not exist.

    No socket is tried, so that the call is cheap: the socket of a killed process is
    listed until :func:`remove_stale` removes it.  The directory's ``st_mtime_ns``
    changes whenever this list changes.
    """
    try:
        return sorted(directory / name for name in os.listdir(directory) if name.endswith(SUFFIX))
    except OSError:
        return []


def remove_stale(directory: Path) -> list[Path]:
    """Remove the sockets on which no process listens, and return them.

    Sockets younger than STARTING_SECONDS and files that are not sockets stay.  Several
    processes may do this at the same time.
    """
    removed = []
    for path in live_sockets(directory):
        if _is_stale(path):
            with contextlib.suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


def _is_stale(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    if not stat.S_ISSOCK(found.st_mode) or time.time() - found.st_mtime < STARTING_SECONDS:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        try:
            client.connect(os.fsencode(path))
        except OSError as error:
            # Any other error, for example a full connection queue, means that a process listens.
            return error.errno == errno.ECONNREFUSED
    return False


def _unusable(directory: Path, reason: str) -> exceptions.ConfigurationError:
    return exceptions.ConfigurationError(
        f"The socket directory {directory} cannot be used: {reason}. Set [oslo_messaging_zmq] ipc_dir to another "
        "directory."
    )
