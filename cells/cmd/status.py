"""``cells-status upgrade check``: check whether this release can run the cell, before its managers restart.

It needs no manager and no broker.  The exit statuses are defined by oslo.upgradecheck: 0 success, 1 warning,
2 failure (an action is required before the managers start), 255 the checks did not run.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import textwrap
from collections.abc import Iterator, Sequence

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from cells import conf as cells_conf
from cells import exceptions, failure, preflight, printable
from cells.cmd import streams
from cells.conf import files
from cells.upgrade_checks import Result, UpgradeChecks

PROGRAM = "cells-status"
STATUS_UNEXPECTED = 255
_WIDTH = 76


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks and print their results; return the exit status."""
    return streams.run(PROGRAM, lambda: _run(list(sys.argv[1:] if argv is None else argv)), STATUS_UNEXPECTED)


def _run(arguments: list[str]) -> int:
    conf = cfg.ConfigOpts()
    cells_conf.register(conf)
    try:
        with _without_log():
            return int(upgradecheck.main(conf, "cells", Checks(conf), arguments))
    except SystemExit as end:
        # --help exits with 0; for every other exit the error is on stderr already.
        return STATUS_UNEXPECTED if end.code else 0
    except (cfg.Error, OSError, UnicodeDecodeError) as error:
        return _report(f"The configuration is invalid: {error}")


class Checks(upgradecheck.UpgradeCommands):
    """The checks.  Each check has its own result and runs even if another check fails."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:param conf: not read before the checks run"""
        super().__init__()
        self._conf = conf
        self._checks = UpgradeChecks(conf)

    def check(self) -> upgradecheck.Code:
        """Run all checks; called by oslo.upgradecheck, which prints a traceback of every error except SystemExit."""
        try:
            _check_configuration(self._conf)
            return super().check()
        except exceptions.CellsError as error:
            text = error.message
        except Exception as error:  # a bug: report it on one line, like an expected error
            text = f"unexpected {failure.name_of(error)}: {failure.text_of(error)}"
        raise SystemExit(_report(text))

    def _get_details(self, upgrade_check_result: upgradecheck.Result) -> str | None:
        """Return one paragraph per problem; the method of oslo.upgradecheck joins all problems into one."""
        details = upgrade_check_result.details
        if details is None:
            return None
        return "\n".join(textwrap.fill(line, _WIDTH, subsequent_indent="  ") for line in details.splitlines())

    _upgrade_checks = (
        ("Settings", lambda self: _result(self._checks.settings())),
        ("Names", lambda self: _result(self._checks.names())),
        ("Database", lambda self: _result(self._checks.database())),
        ("Version caps", lambda self: _result(self._checks.version_caps())),
        ("Drivers", lambda self: _result(self._checks.drivers())),
        ("Direct links", lambda self: _result(self._checks.direct_links())),
    )


def _check_configuration(conf: cfg.ConfigOpts) -> None:
    """Check that there is a configuration file, and that its values are valid.

    :raises cells.exceptions.ConfigurationError: as :func:`cells.conf.files.check`, or a value is wrong
    """
    files.check(conf)
    preflight.check_values(conf)


def _result(found: Result) -> upgradecheck.Result:
    failures, warnings = found
    if failures:
        code = upgradecheck.Code.FAILURE
    else:
        code = upgradecheck.Code.WARNING if warnings else upgradecheck.Code.SUCCESS
    return upgradecheck.Result(code, "\n".join([*failures, *warnings]) or None)


def _report(text: str) -> int:
    print(f"{PROGRAM}: {printable.line(' '.join(text.split()))}", file=sys.stderr)  # noqa: T201  # this command has no log
    return STATUS_UNEXPECTED


@contextlib.contextmanager
def _without_log() -> Iterator[None]:
    """Discard the log: the results have all problems, and without a handler Python prints warnings between them."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
