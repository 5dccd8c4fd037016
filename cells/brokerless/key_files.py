"""One file with a key, in the format of pyzmq's certificates: read, checked, written.

:class:`cells.brokerless.keys.KeyStore` knows which files there are.  A key is the text of
40 characters that Z85 makes of its 32 bytes.
"""

from __future__ import annotations

import os
import stat
import struct
import tempfile
from pathlib import Path

import zmq.auth
from zmq.utils import z85

from cells import exceptions

KEY_LENGTH = 40


def check_key(key: str | bytes) -> bytes:
    """Return the text ``key`` if it can be a key.

    :raises cells.exceptions.InvalidNeighbor: it has another length, or characters that Z85 does not have
    """
    text = key.encode() if isinstance(key, str) else key
    try:
        if len(text) == KEY_LENGTH:
            z85.decode(text)
            return text
    except (KeyError, struct.error):
        pass
    raise exceptions.InvalidNeighbor(
        f"This is no public key: one is the {KEY_LENGTH} characters that 'cells key show -f value' prints in the other "
        f"cell, and this has {len(text)}. Put it in single quotes, since some of its characters mean something to a "
        "shell, or read it from a file."
    )


def read(path: Path) -> tuple[bytes, bytes | None]:
    """The public key, and the secret one if the file has it.

    :raises FileNotFoundError: there is no such file
    :raises cells.exceptions.ConfigurationError: it cannot be read, or is damaged
    """
    try:
        os.stat(path)  # says why, which load_certificate does not
        public, secret = zmq.auth.load_certificate(path)
        return check_key(public), secret and check_key(secret)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise not_readable(path, error) from error
    except (ValueError, IndexError, exceptions.InvalidNeighbor):
        # Not chained: what could not be read may be a part of a secret key.
        raise exceptions.ConfigurationError(
            f"There is no key in {path}, or a damaged one: remove the file, and make or add the key again."
        ) from None


def write_public(path: Path, key: bytes, comment: str) -> None:
    """Write in one step: whoever reads it at the same time sees the old key or the new one.

    :raises OSError: it cannot be written
    """
    text = f'#   {comment}\n\nmetadata\ncurve\n    public-key = "{key.decode()}"\n'
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_pair(directory: Path, name: str) -> None:
    """Make a key pair: ``NAME.key`` with the public key, ``NAME.key_secret`` with both.

    :raises OSError: it cannot be written
    """
    # Only this user can look into a directory that mkdtemp made, whatever the umask.
    with tempfile.TemporaryDirectory(dir=directory, prefix=".new-") as temporary:
        public_file = secret_file = ""
        # A public key with a '-' or '@' in front would mean something else on a command line.
        while not (public_file and read(Path(public_file))[0][:1].isalnum()):
            public_file, secret_file = zmq.auth.create_certificates(temporary, name)
        os.chmod(secret_file, 0o600)
        os.chmod(public_file, 0o644)
        for file in (secret_file, public_file):
            os.replace(file, directory / Path(file).name)


def check_is_private(path: Path) -> None:
    """See that this user alone can read the file.

    :raises FileNotFoundError: there is no such file
    :raises cells.exceptions.ConfigurationError: others can, or it is theirs
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise not_readable(path, error) from error
    user = os.geteuid()
    if found.st_uid != user:
        raise exceptions.ConfigurationError(
            f"{path} belongs to another user than this process, whose user id is {user}: have the user that runs the "
            f"services create the key, or run 'chown {user} {path}'."
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise exceptions.ConfigurationError(
            f"Others may use the secret key in {path}: run 'chmod 600 {path}', and if somebody may have read it, "
            "'cells key create --force'."
        )


def check_is_guarded(directory: Path) -> None:
    """See that nobody else can put keys of his own into ``directory``; one that is not there yet will do.

    :raises cells.exceptions.ConfigurationError: others can
    """
    try:
        found = directory.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise not_readable(directory, error) from error
    if found.st_uid not in (0, os.geteuid()) or stat.S_IMODE(found.st_mode) & 0o022:
        raise exceptions.ConfigurationError(
            f"Others may put keys of their own into {directory}: let it belong to the user that runs the services, "
            f"and run 'chmod go-w {directory}'."
        )


def not_readable(path: Path, error: OSError) -> exceptions.ConfigurationError:
    """What to raise for an ``error`` of reading."""
    return exceptions.ConfigurationError(
        f"{path} cannot be read: {error.strerror}. Run this as the user that runs the services."
    )


def not_writable(path: Path, error: OSError) -> exceptions.ConfigurationError:
    """What to raise for an ``error`` of writing."""
    return exceptions.ConfigurationError(
        f"{path} cannot be written: {error.strerror}. Run this as the user that runs the services, and let that "
        "directory belong to it."
    )
