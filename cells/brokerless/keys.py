"""KeyStore: this cell's own key pair and the public keys of other cells, as files of one directory.

``cells key`` writes them, the sockets of the transport use them::

    keys_dir/own.key            this cell's public key
    keys_dir/own.key_secret     both keys; for the user of the services alone
    keys_dir/known/NAME.key     the public key of another cell
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path

import zmq

from cells import exceptions, path
from cells.brokerless import key_files

_SUFFIX = ".key"
_OWN = "own"
#: what Linux allows for the name of a file
_MAX_NAME_BYTES = 255


class KeyStore:
    """The keys in one directory.  Nothing is kept in memory: each method looks at the files.

    :raises cells.exceptions.ConfigurationError: from every method, if a file is
        missing, damaged, or open to others
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self._known = self.directory / "known"
        self._own_public = self.directory / f"{_OWN}{_SUFFIX}"
        self._own_secret = self.directory / f"{_OWN}{_SUFFIX}_secret"

    def create(self, *, force: bool = False) -> bytes:
        """Make the cell's own key pair; return the public key.

        :param force: replace one that is there, after which every cell that knows the
            old one must be told the new one
        """
        try:
            self._make_directories()
            if not force and (self._own_public.exists() or self._own_secret.exists()):
                raise exceptions.ConfigurationError(
                    f"There is a key pair in {self.directory} already: 'cells key show' shows its public key. --force "
                    "replaces it, and then every cell that knows the old key needs the new one."
                )
            key_files.write_pair(self.directory, _OWN)
        except OSError as error:
            raise key_files.not_writable(self.directory, error) from error
        return self.own_public()

    def own_public(self) -> bytes:
        """The cell's own public key; the secret one is not looked at."""
        try:
            return key_files.read(self._own_public)[0]
        except FileNotFoundError:
            raise self._no_own_key() from None

    def own(self) -> tuple[bytes, bytes]:
        """The cell's own public and secret key."""
        try:
            key_files.check_is_private(self._own_secret)
            public, secret = key_files.read(self._own_secret)
        except FileNotFoundError:
            raise self._no_own_key() from None
        if not secret or zmq.curve_public(secret) != public or public != self.own_public():
            raise exceptions.ConfigurationError(
                f"The keys in {self._own_secret} and {self._own_public} do not belong together: copy both from where "
                "they were made, or make new ones with 'cells key create --force'."
            )
        return public, secret

    def add(self, name: str, public_key: str | bytes) -> bool:
        """Register the public key of the cell ``name``; return whether it had another one, which is replaced.

        :raises cells.exceptions.InvalidNeighbor: the name cannot be one, or the key is none
        """
        file, key = self._file(name), key_files.check_key(public_key)
        try:
            self._make_directories()
            had_another = file.exists() and key_files.read(file)[0] != key
            key_files.write_public(file, key, f'Public key of the cell {name}, registered with "cells key add".')
        except OSError as error:
            raise key_files.not_writable(self._known, error) from error
        return had_another

    def delete(self, name: str) -> None:
        """Forget the key of the cell ``name``.

        :raises cells.exceptions.NeighborNotFound: there is none
        """
        try:
            self._file(name).unlink()
        except FileNotFoundError:
            raise exceptions.NeighborNotFound(f"No key is registered under the name {name!r}.", cell=name) from None
        except OSError as error:
            raise key_files.not_writable(self._known, error) from error

    def names(self) -> list[str]:
        """The cells whose key is registered, sorted."""
        self._check_directories()
        try:
            files = os.listdir(self._known)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise key_files.not_readable(self._known, error) from error
        return sorted(file.removesuffix(_SUFFIX) for file in files if file.endswith(_SUFFIX) and file[0] != ".")

    def known(self) -> dict[str, bytes]:
        """The public key of each cell that is registered."""
        return {name: self.get(name) for name in self.names()}

    def get(self, name: str) -> bytes:
        """The public key of the cell ``name``."""
        self._check_directories()
        try:
            return key_files.read(self._file(name))[0]
        except FileNotFoundError:
            raise exceptions.ConfigurationError(
                f"No key is registered under the name {name!r} in {self.directory}: run 'cells key show' in that cell, "
                f"and here \"cells key add {name} 'KEY'\"."
            ) from None

    def fingerprint(self) -> Hashable:
        """A value that changes when a key is added, changed or deleted; cheap to ask for."""
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
                # A file that was written again within one tick of the clock is another file at least.
                found.append((os.fspath(file), status.st_ino, status.st_mtime_ns, status.st_mode))
        return tuple(sorted(found))

    def _file(self, name: str) -> Path:
        path.check_name(name)
        file_name = f"{name}{_SUFFIX}"
        if name.startswith(".") or "/" in name or len(os.fsencode(file_name)) > _MAX_NAME_BYTES:
            raise exceptions.InvalidNeighbor(
                f"A key cannot be registered under {name!r:.80}, which cannot be the name of a file: choose another "
                "name here, and write it as peer= into the transport URL.",
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
            f"This cell has no key of its own in {self.directory}: run 'cells key create', or name the directory that "
            "has it as [oslo_messaging_zmq] keys_dir."
        )
