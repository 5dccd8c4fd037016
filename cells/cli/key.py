"""``cells key``: who may connect to this cell's sockets, where it works without a broker.

The commands use the files in ``[oslo_messaging_zmq] keys_dir`` and ask nobody;
running services see a change of the registered keys at the next connection.
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
    """Base of the commands here."""

    def store(self) -> KeyStore:
        """The keys of this cell."""
        from cells.brokerless.keys import KeyStore  # noqa: PLC0415  # pyzmq takes long to load

        return KeyStore(self.conf.oslo_messaging_zmq.keys_dir)

    def say(self, text: str) -> None:
        """Write a line for people."""
        self.app.stdout.write(f"{text}\n")


class Create(_KeyCommand):
    """Make the key pair of this cell. All services of the cell, on all its machines, use the same one.

    Run it as the user that runs the services, since nobody else may read the
    secret key; and copy the directory to the cell's other machines, if it has any.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """--force."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--force",
            action="store_true",
            help="replace the key pair: restart the services of this cell then, and register the new key in the others",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Called by cliff."""
        store = self.store()
        key = store.create(force=parsed_args.force).decode()
        name = self.conf.cells.name
        self.say(f"The public key of this cell is {key}")
        self.say(f"The key pair is in {store.directory}. In each cell that exchanges messages with this one, run:")
        self.say(f"cells key add {shlex.quote(name) if name else 'NAME'} '{key}'")


class Show(_KeyCommand, show.ShowOne):
    """Show the public key of this cell, which is no secret. With -f value it is the key alone."""

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:  # noqa: ARG002  # cliff's signature
        """Called by cliff."""
        return ("public_key",), (self.store().own_public().decode(),)


class Add(_KeyCommand):
    """Register the public key of another cell: from now on it may connect, and be connected to as peer=NAME.

    A key that was registered under that name before is replaced.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """NAME and KEY."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="name of that cell")
        parser.add_argument(
            "key",
            metavar="KEY",
            help=f"the {KEY_LENGTH} characters that 'cells key show -f value' prints there, in single quotes because "
            f"of the shell ('--' before NAME if they begin with a '-'); '{FROM_STDIN}' reads the key from stdin, "
            f"'{FROM_FILE}FILE' from a file, which may be that cell's own.key",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Called by cliff."""
        store, name, key = self.store(), parsed_args.name, _key(parsed_args.key)
        self._check_is_another_cell(store, key)
        if store.add(name, key):
            self.say(f"Replaced the key of {name}. Connections that were made with the old one last until they end.")
        else:
            self.say(f"Registered the key of {name}.")

    def _check_is_another_cell(self, store: KeyStore, key: str) -> None:
        try:
            own = store.own_public().decode()
        except exceptions.ConfigurationError:
            return
        if key == own:
            raise exceptions.InvalidNeighbor(
                "This is the key of this cell itself, which need not be registered: take what 'cells key show' prints "
                "in the other cell."
            )


class List(_KeyCommand, lister.Lister):
    """List the cells whose public key is registered."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[Sequence[Any]]]:  # noqa: ARG002
        """Called by cliff."""
        store = self.store()
        rows: list[Sequence[Any]] = []
        for name in store.names():
            try:
                rows.append((name, store.get(name).decode()))
            except exceptions.CellsError as error:
                self.fail(error.message)
        return ("name", "public_key"), rows


class Delete(_KeyCommand):
    """Forget the public keys of cells. Connections that they have last until they end; new ones are refused."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """NAMES."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("names", metavar="NAME", nargs="+", help="name under which a key was registered")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Called by cliff."""
        store = self.store()
        for name in parsed_args.names:
            try:
                store.delete(name)
            except exceptions.NeighborNotFound as error:
                self.fail(error.message)


def _key(word: str) -> str:
    """The key that a word of the command line is, or says where to find."""
    file = word.removeprefix(FROM_FILE)
    if word == FROM_STDIN:
        text = sys.stdin.read(_MAX_TEXT_LENGTH)
    # A key may begin with that character too.
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
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is no text"
        raise exceptions.InvalidNeighbor(f"The key cannot be read from {path}: {reason}.") from error
