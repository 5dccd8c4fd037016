"""Base classes of the commands (configuration, database, manager, output formats) and their argparse types."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cliff import columns, command, display
from oslo_config import cfg

from cells import conf as cells_conf
from cells import exceptions, failure, printable
from cells.cli import connection
from cells.conf import files as conf_files

if TYPE_CHECKING:
    from cells.db.api import Database
    from cells.rpc import RPCClient
    from cells.rpcapi import CellsAPI

    _Display = display.DisplayCommandBase[Any]
    _Column = columns.FormattableColumn[Any]
else:  # the oldest supported cliff has no type arguments
    _Display, _Column = display.DisplayCommandBase, columns.FormattableColumn

#: result of a ShowOne of cliff: names of columns, and values
Record = tuple[Sequence[str], Sequence[Any]]

#: Default timeout of the commands that show the state of a cell: an operator, or a monitor, gets the
#: part that is known by then.
FIRST_LOOK_SECONDS = 4.0

#: Exit status of a command that has shown a problem, or has succeeded in part.
STATUS_DEGRADED = 1
#: Exit status of a command that has failed.
STATUS_FAILED = 2

#: formats of cliff that escape line breaks and control characters themselves
_ESCAPING_FORMATS = ("json", "yaml")
#: format that the command prints itself, without a formatter of cliff
TEXT_FORMAT = "text"


class CellCommand(command.Command):
    """Base of all commands.  Expensive resources are created at their first use."""

    #: exit status of the process if the command raises no error
    exit_status = 0
    #: whether a line on stderr may tell that the command still runs: not if it draws or prompts itself
    shows_progress = True

    @functools.cached_property
    def conf(self) -> cfg.ConfigOpts:
        """Configuration of the cell that the command uses.

        :raises cells.exceptions.ConfigurationError: no configuration file is found, another user may have written it,
            or a value is wrong
        :raises cells.exceptions.SandboxError: ``--sandbox`` names an unknown cell
        """
        directories = self.options.config_dir
        if self.options.sandbox is not None:
            from cells.sandbox import configuration  # noqa: PLC0415  # few commands need it

            files = [str(configuration.config_file(self.options.sandbox))]
        else:
            files = list(self.options.config_file) or conf_files.find("cells")
        if not files and not directories:
            raise exceptions.ConfigurationError("There is no configuration file: give its path with --config-file.")
        return cells_conf.load(files, [word for path in directories for word in ("--config-dir", path)])

    def database(self) -> contextlib.AbstractContextManager[Database]:
        """Open the database of this cell for a block."""
        from cells.db.api import Database  # noqa: PLC0415  # SQLAlchemy is slow to import

        return contextlib.closing(Database(self.conf))

    @property
    def options(self) -> argparse.Namespace:
        """Global options, given before the command."""
        return self.app_args or argparse.Namespace(config_file=[], config_dir=[], sandbox=None)

    def manager(self, timeout_seconds: float | None = None) -> contextlib.AbstractContextManager[CellsAPI]:
        """Open a client of the manager of this cell.

        :param timeout_seconds: of each request; default: [cells] call_timeout
        """
        return connection.to_manager(self.conf, timeout_seconds)

    def check_answers(self, cell: object) -> None:
        """Check that a manager of this cell has answered.

        :param cell: the name of the cell whose manager has answered; None: of a release that does not say it
        :raises cells.exceptions.ConfigurationError: it is another cell
        """
        own_name = self.conf.cells.name
        if cell is not None and own_name is not None and cell != own_name:
            raise exceptions.ConfigurationError(
                f"A manager of cell {cell} answers requests to cell {own_name}: both use one virtual host of a broker. "
                "Give each cell a virtual host of its own in [DEFAULT] transport_url."
            )

    def service(self, **target: str | None) -> contextlib.AbstractContextManager[RPCClient]:
        """Open a client of a service in any cell; ``target`` has the keywords of an oslo.messaging Target."""
        return connection.to_service(self.conf, **target)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command; called by the application."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        self.add_arguments(parser)
        return parser

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command.  A command without arguments does not override this method."""

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command and return the exit status; called by the application."""
        return super().run(parsed_args) or self.exit_status

    def say(self, text: str) -> None:
        """Write a line to stdout; a line break in a value of another cell is escaped."""
        print(printable.line(text), file=self.app.stdout, flush=True)

    def write_json(self, value: Any, parsed_args: argparse.Namespace) -> int:
        """Write ``value`` to stdout as one JSON document; return the exit status."""
        text = json.dumps(value, indent=None if parsed_args.noindent else 2, ensure_ascii=False)
        print(text, file=self.app.stdout, flush=True)
        return self.exit_status

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:
        """Print a table, or lines of values, each value on one line; called by cliff in a Lister or ShowOne."""
        if parsed_args.formatter not in _ESCAPING_FORMATS:
            column_names, data = tuple(map(printable.line, column_names)), _on_one_line(data)
        produce: Callable[..., int] = super().produce_output  # type: ignore[misc]  # of the Lister or ShowOne
        return produce(parsed_args, column_names, data)

    def fail(self, text: str) -> None:
        """Report a partial failure on stderr and set the exit status of it; the command continues."""
        self.exit_status = STATUS_DEGRADED
        self.app.stderr.write(f"{self.app.NAME}: {printable.line(' '.join(text.split()))}\n")


class TextOutput(CellCommand, _Display):
    """Mix-in before Lister or ShowOne: adds the format "text", which is the default and which the command prints."""

    #: formats that the command prints itself, the default first
    own_formats: tuple[str, ...] = (TEXT_FORMAT,)

    @property
    def formatter_default(self) -> str:
        """Name of the default format, for cliff."""
        return TEXT_FORMAT

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the format to the output options of cliff."""
        parser = super().get_parser(prog_name)
        for action in parser._actions:
            if action.dest == "formatter":
                action.choices = [*(action.choices or ()), *self.own_formats]
                action.default = TEXT_FORMAT
                action.help = f"the output format, defaults to {TEXT_FORMAT}"
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print the text, or run the formatter of cliff."""
        if parsed_args.formatter not in self.own_formats:
            return super().run(parsed_args)
        self.print_text(parsed_args)
        return self.exit_status

    def print_text(self, parsed_args: argparse.Namespace) -> None:
        """Execute the command and write its text, in the format of ``parsed_args``, to self.app.stdout."""
        raise NotImplementedError


class JSONColumn(_Column):
    """Column whose value stays a value in JSON and YAML, and becomes a text in tables."""

    def human_readable(self) -> str:
        """Return the text for a table; called by cliff."""
        return printable.line(readable(self._value))


def readable(value: Any) -> str:
    """Return a text unchanged, and any other value as JSON on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def describe(error: BaseException) -> str:
    """Return the class of the error, as named in the cell that raised it, and its message."""
    return f"{failure.name_of(error)}: {' '.join(failure.text_of(error).split())}"


def _on_one_line(data: Any) -> Any:
    """Return the values of a record, or an iterator of those of rows, with texts that have no line breaks."""
    if isinstance(data, str):
        return printable.line(data)
    if isinstance(data, JSONColumn) and isinstance(data.machine_readable(), str):
        return JSONColumn(printable.line(data.machine_readable()))
    if isinstance(data, (tuple, list)):
        return [_on_one_line(value) for value in data]
    return map(_on_one_line, data) if isinstance(data, Iterator) else data


def add_timeout(parser: argparse.ArgumentParser, default: float | None = None) -> None:
    """Add --timeout, for commands that wait for an answer; default: [cells] call_timeout."""
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        metavar="SECONDS",
        default=default,
        help=f"time to wait for an answer (default: {'[cells] call_timeout' if default is None else f'{default:g}'})",
    )


def positive_seconds(text: str) -> float:
    """Return a number of seconds greater than 0; an argparse type."""
    seconds = number(text)
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not more than 0 seconds")
    return seconds


def positive_count(text: str) -> int:
    """Return a whole number, at least 1; an argparse type."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def number(text: str) -> float:
    """Return a finite number; an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value
