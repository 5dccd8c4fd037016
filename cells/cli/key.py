"""``cells key``: the keys of this cell and of its peers, for the brokerless transport.

The commands use only the files in ``[oslo_messaging_zmq] keys_dir``.  Running services
apply a change of the registered keys at the next connection.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cliff import lister, show

from cells import exceptions
from cells.cli import base

if TYPE_CHECKING:
    from cells.brokerless.keys import KeyStore

FROM_STDIN, FROM_FILE = "-", "@"
KEY_LENGTH = 40
_MAX_TEXT_LENGTH = 10_000
_IN_CERTIFICATE = re.compile(r'^\s*public-key\s*=\s*"([^"\s]+)"\s*$', re.MULTILINE)


class _KeyCommand(base.CellCommand):
    """Base of the key commands."""

    def store(self) -> KeyStore:
        """Return the keys of this cell."""
        from cells.brokerless.keys import KeyStore  # noqa: PLC0415  # pyzmq is slow to import

        return KeyStore(self.conf.oslo_messaging_zmq.keys_dir)


class Create(_KeyCommand):
    """Create the key pair of this cell. All services of the cell, on all its machines, use the same key pair.

    Run the command as the user that runs the services, because only that user may read the
    secret key. Copy the directory to the other machines of the cell.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--force",
            action="store_true",
            help="replace the key pair; then restart this cell's services and register the new key in other cells",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Create the keys and print the command for other cells; called by cliff."""
        store = self.store()
        key = store.create(force=parsed_args.force).decode()
        name = self.conf.cells.name
        self.say(f"The public key of this cell is {key}")
        self.say(f"The key pair is in {store.directory}. In each cell that exchanges messages with this cell, run:")
        self.say(f"cells key add {shlex.quote(name) if name else 'NAME'} '{key}'")


class Show(_KeyCommand, show.ShowOne):
    """Show the public key of this cell, which is not secret. -f value prints only the key."""

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:  # noqa: ARG002  # cliff's signature
        """Return the key; called by cliff."""
        return ("public_key",), (self.store().own_public().decode(),)


class Add(_KeyCommand):
    """Register the public key of another cell: that cell may connect, and its transport URL may have peer=NAME.

    The key replaces an earlier key of the same name.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name of the other cell")
        parser.add_argument(
            "key",
            metavar="KEY",
            help=f"the {KEY_LENGTH} characters that 'cells key show -f value' prints in the other cell, in single "
            f"quotes for the shell (put '--' before NAME if the key begins with '-'); '{FROM_STDIN}' reads the key "
            f"from stdin, '{FROM_FILE}FILE' from a file, for example own.key of the other cell",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Register the key; called by cliff."""
        store, name, key = self.store(), parsed_args.name, _key(parsed_args.key)
        self._check_is_another_cell(store, key)
        if store.add(name, key):
            self.say(f"Replaced the key of {name}. Existing connections keep the old key until they close.")
        else:
            self.say(f"Registered the key of {name}.")

    def _check_is_another_cell(self, store: KeyStore, key: str) -> None:
        try:
            own = store.own_public().decode()
        except exceptions.ConfigurationError:
            return
        if key == own:
            raise exceptions.InvalidNeighbor(
                "This is the key of this cell, which needs no registration: use the key that 'cells key show' prints "
                "in the other cell."
            )


class List(_KeyCommand, lister.Lister):
    """List the cells whose public key is registered."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[Sequence[Any]]]:  # noqa: ARG002
        """Return a row for each key; called by cliff."""
        store = self.store()
        rows: list[Sequence[Any]] = []
        for name in store.names():
            try:
                rows.append((name, store.get(name).decode()))
            except exceptions.CellsError as error:
                self.fail(error.message)
        return ("name", "public_key"), rows


class Delete(_KeyCommand):
    """Delete the public keys of cells. New connections of these cells are refused; open connections stay."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("names", metavar="NAME", nargs="+", help="name of a registered key")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Delete the keys; called by cliff."""
        store = self.store()
        for name in parsed_args.names:
            try:
                store.delete(name)
            except exceptions.NeighborNotFound as error:
                self.fail(error.message)


def _key(word: str) -> str:
    """Return the key that ``word`` is, or that is in the file or stream that ``word`` names."""
    file = word.removeprefix(FROM_FILE)
    if word == FROM_STDIN:
        text = sys.stdin.read(_MAX_TEXT_LENGTH)
    # A key may begin with FROM_FILE too.
    elif file != word and (len(word) != KEY_LENGTH or Path(file).is_file()):
        text = _read_file(file)
    else:
        text = word
    found = _IN_CERTIFICATE.search(text)
    return found[1] if found else text.strip()


def _read_file(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(_MAX_TEXT_LENGTH)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is not a text file"
        raise exceptions.InvalidNeighbor(f"The key cannot be read from {path}: {reason}.") from error
