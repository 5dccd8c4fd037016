"""``cells doctor``: one verdict on this cell, with the findings that led to it."""

from __future__ import annotations

import argparse
from typing import Any

from cliff import lister

from cells import exceptions
from cells.cli import base

#: Default time of each check; two stages of them, and the start, end within 15 seconds.
CHECK_SECONDS = 5.0

_COLUMNS = ("severity", "name", "cell", "subject", "text", "evidence", "since_seconds", "seen_by", "remedy")


class Doctor(base.TextOutput, lister.Lister):
    """Examine this cell and its links, and print one verdict.

    The exit status is 0 if all is well, 1 if something is worth a look, and 2 if something is broken. The first line is
    the verdict. Each finding has a name, the facts that were seen, and the command or the option that mends it; the
    worst come first. The checks run side by side, and a check that does not end in its time is a finding.

    "-f json" prints one object with the verdict, the checks and the findings.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--tree", action="store_true", help="ask the managers of all cells below for their findings, too"
        )
        base.add_timeout(parser, CHECK_SECONDS)

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print one object for JSON; the base class prints the other formats."""
        if parsed_args.formatter != "json":
            return super().run(parsed_args)
        return self.write_json(self._report(parsed_args).as_dict(), parsed_args)

    def print_text(self, parsed_args: argparse.Namespace) -> None:
        """Print the verdict, then the findings."""
        for line in self._report(parsed_args).lines():
            self.say(line)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return a row for each finding, for tables and CSV; called by cliff."""
        findings = self._report(parsed_args).as_dict()["findings"]
        return _COLUMNS, [tuple(finding[column] for column in _COLUMNS) for finding in findings]

    def _report(self, parsed_args: argparse.Namespace) -> Any:
        # SQLAlchemy and oslo.messaging are slow to import.
        from cells import doctor  # noqa: PLC0415

        try:
            conf = self.conf
        except exceptions.ConfigurationError as error:
            report = doctor.without_configuration(error.message)
        else:
            case = doctor.Case(conf, parsed_args.timeout, self.manager, is_tree=parsed_args.tree)
            report = doctor.examine(case)
        self.exit_status = report.status
        return report
