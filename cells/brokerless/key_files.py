"""Files with keys, in the format of pyzmq's certificates: read, check and write one file.

:class:`cells.brokerless.keys.KeyStore` knows the names of the files.  A key is a text of
40 characters: Z85 of its 32 bytes.
"""

from __future__ import annotations

import os
import stat
import struct
import tempfile
from pathlib import Path

import zmq.auth
from zmq.utils import z85

from cells import exceptions, private_files

KEY_LENGTH = 40


def check_key(key: str | bytes) -> bytes:
    """Return ``key`` as bytes if it is a valid key.

    :raises cells.exceptions.InvalidNeighbor: the length is wrong, or a character is not in Z85
    """
    text = key.encode() if isinstance(key, str) else key
    try:
        if len(text) == KEY_LENGTH:
            z85.decode(text)
            return text
    except (KeyError, struct.error):
        pass
    raise exceptions.InvalidNeighbor(
        f"This is not a public key ({len(text)} characters): copy the {KEY_LENGTH} characters that 'cells key show -f "
        "value' prints in the other cell. Put them in single quotes, because some have a meaning in a shell, or read "
        "them from a file."
    )


def read(path: Path) -> tuple[bytes, bytes | None]:
    """Return the public key, and the secret key if the file has one.

    :raises FileNotFoundError: the file does not exist
    :raises cells.exceptions.ConfigurationError: the file cannot be read, or is damaged
    """
    try:
        with private_files.reading(path):
            os.stat(path)  # its error gives the reason, that of load_certificate does not
            public, secret = zmq.auth.load_certificate(path)
        return check_key(public), secret and check_key(secret)
    except (ValueError, IndexError, exceptions.InvalidNeighbor):
        # Not chained: the original error may quote a part of a secret key.
        raise exceptions.ConfigurationError(
            f"{path} has no key or is damaged: remove the file, and create or add the key again."
        ) from None


def write_public(path: Path, key: bytes, comment: str) -> None:
    """Write the file atomically: a concurrent reader sees the old key or the new key.

    :raises OSError: the file cannot be written
    """
    text = f'#   {comment}\n\nmetadata\ncurve\n    public-key = "{key.decode()}"\n'
    private_files.write(path, text, mode=0o644)


def write_pair(directory: Path, name: str) -> None:
    """Create a key pair: ``NAME.key`` with the public key, ``NAME.key_secret`` with both keys.

    :raises OSError: a file cannot be written
    """
    # Only this user can enter a directory that mkdtemp created, whatever the umask.
    with tempfile.TemporaryDirectory(dir=directory, prefix=".new-") as temporary:
        public_file = secret_file = ""
        # On a command line, a leading '-' or '@' of a public key would have a special meaning.
        while not (public_file and read(Path(public_file))[0][:1].isalnum()):
            public_file, secret_file = zmq.auth.create_certificates(temporary, name)
        os.chmod(secret_file, 0o600)
        os.chmod(public_file, 0o644)
        for file in (secret_file, public_file):
            os.replace(file, directory / Path(file).name)


def check_is_guarded(directory: Path) -> None:
    """Check that no other user can put keys into ``directory``; accept a directory that does not exist.

    :raises cells.exceptions.ConfigurationError: other users can write to the directory
    """
    try:
        with private_files.reading(directory):
            found = directory.stat()
    except FileNotFoundError:
        return
    if found.st_uid not in (0, os.geteuid()) or stat.S_IMODE(found.st_mode) & 0o022:
        raise exceptions.ConfigurationError(
            f"Other users can put keys into {directory}: change its owner to the user that runs the services, and run "
            f"'chmod go-w {directory}'."
        )
