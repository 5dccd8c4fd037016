"""What the commands share: the configuration, the database, the manager, and forms of output."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cliff import columns, command, display
from oslo_config import cfg

from cells import conf as cells_conf
from cells import exceptions
from cells.cli import connection

if TYPE_CHECKING:
    from cells.db.api import Database
    from cells.rpc import RPCClient
    from cells.rpcapi import CellsAPI

    _Display = display.DisplayCommandBase[Any]
    _Column = columns.FormattableColumn[Any]
else:  # the oldest cliff that will do has no type arguments
    _Display, _Column = display.DisplayCommandBase, columns.FormattableColumn

#: what a ShowOne of cliff returns: names of columns, and values
Record = tuple[Sequence[str], Sequence[Any]]

#: the format of people, which no formatter of cliff can give
HUMAN_FORMAT = "text"


class CellCommand(command.Command):
    """Base of all commands.  Whatever costs time is made when it is first used."""

    #: what the process ends with if no error was raised
    exit_status = 0

    @functools.cached_property
    def conf(self) -> cfg.ConfigOpts:
        """The configuration of the cell to talk to.

        :raises cells.exceptions.ConfigurationError: there is none, or it has a wrong value
        :raises cells.exceptions.SandboxError: ``--sandbox`` names a cell that is not there
        """
        directories = self.options.config_dir
        if self.options.sandbox is not None:
            from cells.sandbox import configuration  # noqa: PLC0415  # few commands need it

            files = [str(configuration.config_file(self.options.sandbox))]
        else:
            files = list(self.options.config_file) or cfg.find_config_files(project="cells", prog="cells")
        if not files and not directories:
            raise exceptions.ConfigurationError("There is no configuration file: name one with --config-file.")
        return cells_conf.load(files, [word for path in directories for word in ("--config-dir", path)])

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        """The registry of neighbors."""
        from cells.db.api import Database  # noqa: PLC0415  # SQLAlchemy takes long to load

        database = Database(self.conf)
        try:
            yield database
        finally:
            database.close()

    @property
    def options(self) -> argparse.Namespace:
        """The options before the command."""
        return self.app_args or argparse.Namespace(config_file=[], config_dir=[], sandbox=None)

    def manager(self) -> contextlib.AbstractContextManager[CellsAPI]:
        """The manager of this cell."""
        return connection.to_manager(self.conf)

    def service(self, **target: str | None) -> contextlib.AbstractContextManager[RPCClient]:
        """A service, in whichever cell; ``target`` is oslo.messaging's."""
        return connection.to_service(self.conf, **target)

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Called by the application; returns the exit status."""
        return super().run(parsed_args) or self.exit_status

    def fail(self, text: str) -> None:
        """Say on stderr that a part did not work, and go on."""
        self.exit_status = 1
        self.app.stderr.write(f"{self.app.NAME}: {' '.join(text.split())}\n")


class HumanOutput(CellCommand, _Display):
    """Mix-in before Lister or ShowOne: a further format, the default, that the command draws itself."""

    @property
    def formatter_default(self) -> str:
        """Called by cliff."""
        return HUMAN_FORMAT

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The options of cliff's output, with one format more."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        for action in parser._actions:
            if action.dest == "formatter":
                action.choices = [*(action.choices or ()), HUMAN_FORMAT]
                action.default = HUMAN_FORMAT
                action.help = f"the output format, defaults to {HUMAN_FORMAT}"
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Draw it, or leave it to cliff's formatter."""
        if parsed_args.formatter != HUMAN_FORMAT:
            return super().run(parsed_args)
        self.show(parsed_args)
        return self.exit_status

    def show(self, parsed_args: argparse.Namespace) -> None:
        """Carry the command out and write for people to self.app.stdout."""
        raise NotImplementedError


class JSONColumn(_Column):
    """A value that is itself in JSON and YAML, and in tables readable."""

    def human_readable(self) -> str:
        """Called by cliff for tables and the like."""
        return readable(self._value)


def readable(value: Any) -> str:
    """A text as it is, everything else as JSON on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def describe(error: BaseException) -> str:
    """An error as text: its class, as the cell that raised it calls it, and what it says."""
    name = type(error).__name__.removesuffix("_Remote")
    return f"{name}: {' '.join(str(error).split())}"


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """The option of commands that wait for an answer."""
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        metavar="SECONDS",
        help="time to wait for an answer (default: [cells] call_timeout)",
    )


def positive_seconds(text: str) -> float:
    """An argparse type: a number of seconds, more than 0."""
    seconds = number(text)
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not more than 0 seconds")
    return seconds


def positive_count(text: str) -> int:
    """An argparse type: a whole number, at least 1."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def number(text: str) -> float:
    """An argparse type: a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value
