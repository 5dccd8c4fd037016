"""KeyStore: this cell's own key pair and the public keys of other cells, as files of one directory.

The command ``cells key`` writes the files, the sockets of the transport use them::

    keys_dir/own.key            this cell's public key
    keys_dir/own.key_secret     both keys; readable only by the user of the services
    keys_dir/known/NAME.key     the public key of another cell
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path

import zmq

from cells import exceptions, path, private_files
from cells.brokerless import key_files

_SUFFIX = ".key"
_OWN = "own"
#: limit of Linux for a file name
_MAX_NAME_BYTES = 255


class KeyStore:
    """The keys in one directory.  Nothing is cached: each method reads the files.

    :raises cells.exceptions.ConfigurationError: from every method, if a file is
        missing or damaged, or other users can read or write it
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self._known = self.directory / "known"
        self._own_public = self.directory / f"{_OWN}{_SUFFIX}"
        self._own_secret = self.directory / f"{_OWN}{_SUFFIX}_secret"

    def create(self, *, force: bool = False) -> bytes:
        """Create the cell's own key pair; return the public key.

        :param force: replace an existing pair; then every cell that knows the old public
            key needs the new public key
        """
        with private_files.writing(self.directory):
            self._make_directories()
            if not force and (self._own_public.exists() or self._own_secret.exists()):
                raise exceptions.ConfigurationError(
                    f"{self.directory} already has a key pair: 'cells key show' shows its public key. --force replaces "
                    "the pair, and then every cell that knows the old key needs the new key."
                )
            key_files.write_pair(self.directory, _OWN)
        return self.own_public()

    def own_public(self) -> bytes:
        """Return the cell's own public key, without reading the secret key."""
        try:
            return key_files.read(self._own_public)[0]
        except FileNotFoundError:
            raise self._no_own_key() from None

    def own(self) -> tuple[bytes, bytes]:
        """Return the cell's own public key and secret key."""
        try:
            private_files.check_is_private(self._own_secret, "cells key create --force")
            public, secret = key_files.read(self._own_secret)
        except FileNotFoundError:
            raise self._no_own_key() from None
        if not secret or zmq.curve_public(secret) != public or public != self.own_public():
            raise exceptions.ConfigurationError(
                f"The keys in {self._own_secret} and {self._own_public} do not belong together: copy both files from "
                "the same source, or create a new pair with 'cells key create --force'."
            )
        return public, secret

    def add(self, name: str, public_key: str | bytes) -> bool:
        """Register the public key of the cell ``name``; return whether it replaced another key.

        :raises cells.exceptions.InvalidNeighbor: the name or the key is not valid
        """
        file, key = self._file(name), key_files.check_key(public_key)
        with private_files.writing(self._known):
            self._make_directories()
            had_another = file.exists() and key_files.read(file)[0] != key
            key_files.write_public(file, key, f'Public key of the cell {name}, registered with "cells key add".')
        return had_another

    def delete(self, name: str) -> None:
        """Delete the key of the cell ``name``.

        :raises cells.exceptions.NeighborNotFound: no key is registered under this name
        """
        with private_files.writing(self._known):
            try:
                self._file(name).unlink()
            except FileNotFoundError:
                raise exceptions.NeighborNotFound(f"No key is registered under the name {name!r}.", cell=name) from None

    def names(self) -> list[str]:
        """Return the names under which keys are registered, sorted."""
        self._check_directories()
        try:
            with private_files.reading(self._known):
                files = os.listdir(self._known)
        except FileNotFoundError:
            return []
        return sorted(file.removesuffix(_SUFFIX) for file in files if file.endswith(_SUFFIX) and file[0] != ".")

    def get(self, name: str) -> bytes:
        """Return the public key of the cell ``name``."""
        self._check_directories()
        try:
            return key_files.read(self._file(name))[0]
        except FileNotFoundError:
            raise exceptions.ConfigurationError(
                f"No key is registered under the name {name!r} in {self.directory}: run 'cells key show' in that cell, "
                f"and \"cells key add {name} 'KEY'\" here."
            ) from None

    def fingerprint(self) -> Hashable:
        """Return a value that changes when a key is added, changed or deleted; cheap to compute."""
        found: list[tuple[str, int, int, int]] = []
        for directory in (self.directory, self._known):
            try:
                entries = [entry for entry in os.scandir(directory) if entry.name.endswith(_SUFFIX)]
            except OSError:
                continue
            for file in (directory, *entries):
                try:
                    status = os.stat(file)
                except OSError:
                    continue
                # A file that is rewritten within one clock tick has another inode at least.
                found.append((os.fspath(file), status.st_ino, status.st_mtime_ns, status.st_mode))
        return tuple(sorted(found))

    def _file(self, name: str) -> Path:
        path.check_name(name)
        file_name = f"{name}{_SUFFIX}"
        if name.startswith(".") or "/" in name or len(os.fsencode(file_name)) > _MAX_NAME_BYTES:
            raise exceptions.InvalidNeighbor(
                f"{name!r:.80} cannot be the name of a file, so no key can be registered under it: choose another name "
                "here, and add it to the transport URL as peer=NAME.",
                cell=name,
            )
        return self._known / file_name

    def _make_directories(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._known.mkdir(mode=0o700, exist_ok=True)
        self._check_directories()

    def _check_directories(self) -> None:
        for directory in (self.directory, self._known):
            key_files.check_is_guarded(directory)

    def _no_own_key(self) -> exceptions.ConfigurationError:
        return exceptions.ConfigurationError(
            f"This cell has no key of its own in {self.directory}: run 'cells key create', or set [oslo_messaging_zmq] "
            "keys_dir to the directory with the key."
        )
