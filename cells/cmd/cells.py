"""``cells``: the operator's tool.  The commands are in :mod:`cells.cli`.

The output of a command is on stdout.  The exit status is 0 if it succeeds, and 1 if it shows a problem or succeeds in
part.  If it fails, or the command line is wrong, stderr has the error on one line, and the exit status is 2.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any, NoReturn

from cliff import app, commandmanager

from cells import exceptions, failure, printable
from cells.cli import base, progress
from cells.cli.complete import Complete
from cells.cmd import streams
from cells.cmd.log_format import OneLineFormatter

PROGRAM = "cells"
STATUS_FAILED = base.STATUS_FAILED
STATUS_USAGE = 2
STATUS_INTERRUPTED = 130

#: Libraries that log an error and then raise it. The operator gets the error from this tool, on one line.
_NOISY = (
    "alembic",
    "amqp",
    # The error of the command says the same about the registry.
    "cells.brokerless.matchmaker",
    "kombu",
    "oslo",
    "oslo_config",
    "oslo_db",
    "oslo_messaging",
    "oslo_service",
    "stevedore",
)


class UsageError(Exception):
    """Raised when the command line is wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    return streams.run(PROGRAM, lambda: _run(list(sys.argv[1:] if argv is None else argv)), STATUS_FAILED)


def _run(arguments: list[str]) -> int:
    shell = Shell()
    try:
        with shell.logging():
            return shell.run(arguments)
    except KeyboardInterrupt:
        return STATUS_INTERRUPTED


class Shell(app.App):
    """Application that parses the global options, runs a command and reports its errors."""

    NAME = PROGRAM
    CONSOLE_MESSAGE_FORMAT = f"{PROGRAM}: %(message)s"

    def __init__(self) -> None:
        super().__init__(
            description="Commands for the operator of one cell.",
            version=metadata.version("cells-intercell"),
            command_manager=commandmanager.CommandManager("cells.cli"),
        )
        # In place of the command of cliff, which knows no global options.
        self.command_manager.add_command("complete", Complete)
        self._console = logging.StreamHandler(self.stderr)

    def build_option_parser(
        self, description: str | None, version: str | None, argparse_kwargs: dict[str, Any] | None = None
    ) -> argparse.ArgumentParser:
        """Return the parser of the global options; called by cliff."""
        parser = argparse.ArgumentParser(
            prog=PROGRAM, description=description, add_help=False, allow_abbrev=False, **(argparse_kwargs or {})
        )
        parser.add_argument("-h", "--help", action="store_true", help="show this help, or the help of a command")
        parser.add_argument("--version", action="version", version=f"{PROGRAM} {version}")
        parser.add_argument(
            "-v", "--verbose", action="count", default=0, help="log at INFO to stderr; -vv logs at DEBUG"
        )
        parser.add_argument("--debug", action="store_true", help="log at DEBUG, and show tracebacks of errors")
        parser.add_argument(
            "--config-file",
            action="append",
            default=[],
            metavar="FILE",
            help="configuration file of the cell; may be repeated, the last file wins "
            "(default: cells.conf in ~/.cells, ~, /etc/cells or /etc)",
        )
        parser.add_argument(
            "--config-dir",
            action="append",
            default=[],
            metavar="DIRECTORY",
            help="directory whose files that end in .conf are read too, after the files of --config-file",
        )
        parser.add_argument(
            "--sandbox",
            metavar="CELL",
            help="use the configuration of this cell of the sandbox, instead of --config-file; 'cells sandbox up' "
            "creates the sandbox in the directory $CELLS_SANDBOX (default: ~/.cells/sandbox)",
        )
        # The command and all words after it belong to the parser of the command.
        parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help=argparse.SUPPRESS)
        return _with_one_line_errors(parser)

    def configure_logging(self) -> None:
        """Set the log level: WARNING, or lower with -v and --debug."""
        verbosity = 2 if self.options.debug else self.options.verbose
        level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
        if not verbosity:
            self._console.addFilter(lambda record: not record.name.startswith(_NOISY))
        self._console.setFormatter(OneLineFormatter(logging.Formatter(self.CONSOLE_MESSAGE_FORMAT)))
        logging.getLogger().setLevel(level)

    @contextlib.contextmanager
    def logging(self) -> Iterator[None]:
        """Log to stderr while a command runs, and restore the configuration of the root logger afterwards."""
        root = logging.getLogger()
        level = root.level
        root.addHandler(self._console)
        try:
            yield
        finally:
            root.removeHandler(self._console)
            root.setLevel(level)

    def run(self, argv: list[str]) -> int:
        """Run the command; report its error, if any; return the exit status."""
        self.options = argparse.Namespace(debug=False)
        try:
            return self._run(argv)
        except SystemExit as end:
            # --help and --version have printed their output.
            return int(end.code or 0)
        except UsageError as error:
            return self._report(error, STATUS_USAGE)
        except exceptions.CellsError as error:
            return self._report(error, STATUS_FAILED)
        except (KeyboardInterrupt, streams.BrokenOutput):
            raise
        except Exception as error:
            name, text = failure.name_of(error), failure.text_of(error)
            hint = "" if self.options.debug else " (unexpected: --debug shows the traceback)"
            return self._report(f"{name}: {text}{hint}", STATUS_FAILED)

    def _run(self, argv: list[str]) -> int:
        self.options = self.parser.parse_args(argv)
        if self.options.sandbox is not None and (self.options.config_file or self.options.config_dir):
            raise UsageError("--sandbox and --config-file (or --config-dir) cannot be combined: use one of them")
        self.configure_logging()
        rest = ["help", *self.options.words] if self.options.help else self.options.words
        if not rest:
            raise UsageError(f"no command given; see {PROGRAM} --help")
        return self.run_subcommand(rest)

    def run_subcommand(self, argv: list[str]) -> int:
        """Find the command that ``argv`` begins with, and run it."""
        try:
            factory, name, rest = self.command_manager.find_command(argv)
        except ValueError:
            raise UsageError(self._unknown_command(argv)) from None
        if name not in self.command_manager.commands:
            # cliff accepts every unique prefix, so a new command could change the meaning of "neighbor d".
            raise UsageError(self._unknown_command(argv))
        command = factory(self, self.options, cmd_name=name)
        parser = _with_one_line_errors(command.get_parser(f"{PROGRAM} {name}"))
        parsed = parser.parse_args(rest)
        if not getattr(command, "shows_progress", False):
            return int(command.run(parsed))
        with progress.shown(f"{PROGRAM}: {name} runs", self.stderr, self.stdout):
            return int(command.run(parsed))

    def _unknown_command(self, argv: list[str]) -> str:
        words = [word for word in argv if not word.startswith("-")][:2] or argv[:1]
        names = [name for name, _ in self.command_manager]
        same_noun = sorted(name for name in names if name.split()[0] == words[0])
        candidates = same_noun or self.get_fuzzy_matches(words[0])
        suggestion = f" Did you mean: {', '.join(candidates)}?" if candidates else ""
        return f"There is no command '{' '.join(words)}'.{suggestion} See {PROGRAM} --help"

    def _report(self, error: Exception | str, status: int) -> int:
        if self.options.debug and not isinstance(error, UsageError):
            self.LOG.debug("Traceback of the error", exc_info=True)
        text = error if isinstance(error, str) else failure.text_of(error)
        if isinstance(error, exceptions.CellsError) and not isinstance(error, exceptions.RemoteError):
            # The page on troubleshooting, and scripts, find an error by its class.  The text of a RemoteError begins
            # with the class of the original error.
            text = f"{failure.name_of(error)}: {text}"
        text = printable.line(" ".join(text.split()))
        self.stderr.write(f"{PROGRAM}: {text}\n")
        return status


def _with_one_line_errors(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Make ``parser`` raise UsageError, instead of printing its usage and ending the process."""

    def error(message: str) -> NoReturn:
        raise UsageError(f"{message}; see {parser.prog} --help")

    parser.error = error  # type: ignore[method-assign]  # cliff creates the parsers, of its own class
    return parser
