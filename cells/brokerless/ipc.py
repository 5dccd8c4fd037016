"""The directory of the sockets by which processes on one machine reach each other.

The driver makes its sockets here and looks here for those of other processes.
The directory is the guard: who may not enter it cannot connect, whatever the
mode of a socket in it is, and nobody else can put a socket of his own there.
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
#: what the kernel has room for, without the NUL at its end
MAX_PATH_BYTES = 107
#: A socket that is bound but does not listen yet looks like one that was left behind.
STARTING_SECONDS = 5.0
_RANDOM_BYTES = 6


def default_directory(conf: cfg.ConfigOpts) -> Path:
    """Where the sockets are if the option ipc_dir says nothing.

    ``sockets`` under ``state_path``; where no such option is registered, because the
    service is not one of this project, ``cells-zmq`` under the user's run-time directory.
    """
    state_path = getattr(conf, "state_path", None)
    if state_path:
        return Path(state_path) / "sockets"
    runtime_directory = os.environ.get("XDG_RUNTIME_DIR")
    if runtime_directory:
        return Path(runtime_directory) / "cells-zmq"
    return Path(tempfile.gettempdir()) / f"cells-zmq-{os.geteuid()}"


def private_directory(path: str | Path) -> Path:
    """Make the directory, with those above it, or see that this user alone may enter it.

    :raises cells.exceptions.ConfigurationError: it cannot be made, is something
        else, belongs to somebody else, or is open to others
    """
    directory = Path(path)
    if not directory.is_absolute():
        raise exceptions.ConfigurationError(f"The directory of sockets {str(path)!r} must be an absolute path.")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        entry, found = directory.lstat(), directory.stat()
    except OSError as error:
        raise _unusable(directory, error.strerror or str(error)) from error
    if not stat.S_ISDIR(found.st_mode):
        raise _unusable(directory, "it is not a directory")
    # A link in a directory like /tmp could be anybody's, and lead anywhere.
    if {entry.st_uid, found.st_uid} - {os.geteuid()}:
        raise _unusable(directory, f"it belongs to another user than this process, whose user id is {os.geteuid()}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise exceptions.ConfigurationError(
            f"Others may enter the directory of sockets {directory}, and so send to this cell: run "
            f"'chmod 700 {directory}', or name another one as [oslo_messaging_zmq] ipc_dir."
        )
    return directory


def new_socket_path(directory: Path) -> Path:
    """A path for a socket that no other process uses.

    Bind it in a directory that :func:`private_directory` gave, and then take away
    what the umask left: ``socket.bind(f"ipc://{path}"); path.chmod(0o600)``.  There is
    no gap between the two, since nobody else may enter the directory.

    :raises cells.exceptions.ConfigurationError: the path is too long for a socket
    """
    path = directory / f"{secrets.token_hex(_RANDOM_BYTES)}{SUFFIX}"
    length = len(os.fsencode(path))
    if length > MAX_PATH_BYTES:
        raise exceptions.ConfigurationError(
            f"The path of the directory of sockets {directory} is too long: a socket in it would have one of "
            f"{length} bytes, and the system allows {MAX_PATH_BYTES}. Name a shorter directory as "
            "[oslo_messaging_zmq] ipc_dir."
        )
    return path


def live_sockets(directory: Path) -> list[Path]:
    """The sockets in ``directory``, ordered by name; of a directory that is not there, none.

    No socket is tried, so that looking costs little: one whose process was killed
    is among them until :func:`remove_stale` finds it.  The directory's
    ``st_mtime_ns`` changes whenever this list does.
    """
    try:
        return sorted(directory / name for name in os.listdir(directory) if name.endswith(SUFFIX))
    except OSError:
        return []


def remove_stale(directory: Path) -> list[Path]:
    """Remove the sockets on which nobody listens any more, and return them.

    One that was made within the last STARTING_SECONDS stays, and so does whatever is
    no socket.  Several processes may do this at the same time.
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
            # Anything else, a full queue of connections say, is a listener that lives.
            return error.errno == errno.ECONNREFUSED
    return False


def _unusable(directory: Path, reason: str) -> exceptions.ConfigurationError:
    return exceptions.ConfigurationError(
        f"The directory of sockets {directory} cannot be used: {reason}. Name another one as "
        "[oslo_messaging_zmq] ipc_dir."
    )
