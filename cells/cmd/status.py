"""``cells-status upgrade check``: whether this release can run the cell as it is set up, asked before managers restart.

It needs no manager and no broker.  The exit statuses are those of oslo.upgradecheck: 0 all is well, 1 something
should be looked at, 2 something has to be done first, 255 the checks could not be made.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from cells import conf as cells_conf
from cells import exceptions, path, versions
from cells.conf import options
from cells.db import engine, migration, schema
from cells.db.api import Database
from cells.drivers.base import BaseCellsDriver
from cells.neighbors.loader import FileSource
from cells.neighbors.neighbor import Neighbor
from cells.transport import url as transport_url
from cells.transport.opening import open_transport, register_options

PROGRAM = "cells-status"
STATUS_UNEXPECTED = 255
#: the driver whose URLs are oslo.messaging's
RPC_DRIVER = "rpc"
_WIDTH = 76


def main(argv: Sequence[str] | None = None) -> int:
    """Make the checks and print what they found; return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    conf = cfg.ConfigOpts()
    cells_conf.register(conf)
    try:
        with _without_log():
            return int(upgradecheck.main(conf, "cells", Checks(conf), arguments))
    except SystemExit as end:
        # After --help all is well; otherwise it is told already what is wrong.
        return STATUS_UNEXPECTED if end.code else 0
    except (cfg.Error, OSError, UnicodeDecodeError) as error:
        return _tell(f"The configuration cannot be used: {error}")


class _Found(NamedTuple):
    """The rows of the neighbors, and what stands in their way."""

    rows: list[Neighbor]
    failures: list[str]
    warnings: list[str]
    #: whether the tables have to be made or upgraded before there are rows that can be read
    are_tables_older: bool = False


class Checks(upgradecheck.UpgradeCommands):
    """The checks.  Each has a result of its own; one that fails keeps no other from being made."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:param conf: read when the checks are made, not before"""
        super().__init__()
        self._conf = conf

    def check(self) -> upgradecheck.Code:
        """Called by oslo.upgradecheck, which would print a traceback of any error raised here."""
        try:
            _check_configuration(self._conf)
            return super().check()
        except exceptions.CellsError as error:
            text = error.message
        except Exception as error:  # that nobody has thought of
            text = f"unexpected {type(error).__name__}: {error}"
        raise SystemExit(_tell(text))

    def _get_details(self, upgrade_check_result: upgradecheck.Result) -> str | None:
        """Called by oslo.upgradecheck for the table; its own makes one paragraph of all problems."""
        details = upgrade_check_result.details
        if details is None:
            return None
        return "\n".join(textwrap.fill(line, _WIDTH, subsequent_indent="  ") for line in details.splitlines())

    @functools.cached_property
    def _found(self) -> _Found:
        return self._from_file() if self._conf.cells.cells_config else self._from_database()

    def _from_file(self) -> _Found:
        found = _Found([], [], [])
        try:
            found.rows.extend(FileSource(self._conf.cells.cells_config).neighbors())
        except exceptions.ConfigurationError as error:
            found.failures.append(error.message)
        try:
            found.warnings.extend(self._database_beside_file())
        except exceptions.CellsError as error:
            found.failures.append(error.message)
        return found

    def _from_database(self) -> _Found:
        try:
            warnings = _check_schema(self._conf)
        except exceptions.CellsError as error:
            return _Found([], [error.message], [], isinstance(error, exceptions.SchemaOutdated))
        try:
            with contextlib.closing(Database(self._conf)) as database:
                rows, problems = database.examine()
        except exceptions.CellsError as error:
            return _Found([], [error.message], [])
        until = "Until then the manager does without this neighbor."
        return _Found(rows, [f"{problem.message} {until}" for problem in problems], warnings)

    def _database_beside_file(self) -> list[str]:
        """The servers of a cell without a broker may be registered in the database, wherever the rows are from."""
        register_options(self._conf)
        zmq = self._conf.oslo_messaging_zmq
        is_needed = transport_url.is_brokerless(self._conf.transport_url) and zmq.matchmaker == "sql"
        return _check_schema(self._conf) if is_needed and not zmq.matchmaker_connection else []

    def _database(self) -> upgradecheck.Result:
        """Whether the tables are those of this release, and every row can be read."""
        return _result(self._found.failures, self._found.warnings)

    def _names(self) -> upgradecheck.Result:
        """Whether this cell has a name, and no neighbor has the same."""
        own_name, failures = self._conf.cells.name, []
        if not own_name:
            failures.append("[cells] name is not set: give this cell its name in the configuration file.")
        else:
            try:
                path.check_name(own_name)
            except exceptions.InvalidNeighbor as error:
                failures.append(f"[cells] name: {error.message}")
        if any(row.name == own_name for row in self._found.rows):
            where = self._conf.cells.cells_config
            remove = f"in {where}" if where else f"with 'cells neighbor delete {own_name}'"
            failures.append(
                f"Neighbor {own_name} has this cell's own name, and the manager leaves it out: "
                f"remove it {remove}, or correct [cells] name."
            )
        return _result(failures, self._unread())

    def _version_caps(self) -> upgradecheck.Result:
        """Whether caps can be read, and which of them hold a link below what this release speaks."""
        failures: list[str] = []
        warnings = self._unread()
        setting = self._conf.upgrade_levels.intercell
        try:
            cap = versions.resolve_cap(setting)
        except exceptions.ConfigurationError as error:
            failures.append(error.message)
        else:
            if cap not in (None, versions.CURRENT):
                warnings.append(
                    _held(f"[upgrade_levels] intercell = {setting} holds every link", cap, "neighbors read")
                )
        return _result(failures, [*warnings, *filter(None, map(self._problem_of_cap, self._found.rows))])

    def _problem_of_cap(self, row: Neighbor) -> str | None:
        if row.version_cap is None:
            return None
        try:
            cap = versions.read_cap(row.version_cap)
        except exceptions.ConfigurationError as error:
            where = self._conf.cells.cells_config or f"'cells neighbor set {row.name} --version-cap ...'"
            return (
                f"Neighbor {row.name}: its version cap {error.message} "
                f"It counts as {versions.OLDEST} until you correct it: {where}."
            )
        if cap in (versions.AUTO, versions.CURRENT) or _is_of_nova(row.version_cap):
            return None
        return _held(f"Neighbor {row.name}: its version cap {row.version_cap} holds the link", cap, "neighbor reads")

    def _drivers(self) -> upgradecheck.Result:
        """Whether everything that sends and receives is installed and loads."""
        failures = [f"[cells] driver: {problem}" for problem in _problems_of_driver(self._conf.cells.driver)]
        failures += self._problems_of_own_transport()
        for row in self._found.rows:
            problems = _problems_of_driver(row.driver)
            if row.driver == RPC_DRIVER:
                problems += _problems_of_transport(row.transport_url)
            failures += [f"Neighbor {row.name}: {problem}" for problem in problems]
        return _result(failures, self._unread())

    def _problems_of_own_transport(self) -> list[str]:
        register_options(self._conf)
        problems = _problems_of_transport(self._conf.transport_url)
        if problems:
            return [f"[DEFAULT] transport_url: {problem}" for problem in problems]
        try:
            open_transport(self._conf).cleanup()
        except exceptions.ConfigurationError as error:
            return [error.message]
        return []

    def _unread(self) -> list[str]:
        """What a check of the rows has to say if there are none because they could not be read."""
        if self._found.rows or not self._found.failures:
            return []
        if self._found.are_tables_older:
            return ["No neighbor is looked at until the tables are brought forward."]
        return ["No neighbor was looked at, because no row could be read."]

    _upgrade_checks = (
        ("Names", _names),
        ("Database", _database),
        ("Version caps", _version_caps),
        ("Drivers", _drivers),
    )


def _check_configuration(conf: cfg.ConfigOpts) -> None:
    """See that there is one to look at.

    :raises cells.exceptions.ConfigurationError: there is none, or a value in it is wrong
    """
    if not conf.config_file and not conf.config_dir:
        raise exceptions.ConfigurationError("There is no configuration file: name one with --config-file.")
    options.check(conf)


def _check_schema(conf: cfg.ConfigOpts) -> list[str]:
    """What should be known of the tables.

    :raises cells.exceptions.SchemaOutdated: they have to be made or upgraded first
    :raises cells.exceptions.CellsError: the database cannot be asked
    """
    url = engine.read_url(conf.database.connection)
    # To ask SQLite is to make the file, which would belong to whoever runs the check.
    is_file = url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("file:")
    revision = None if is_file and not Path(url.database or "").exists() else migration.version(conf)
    if revision is None:
        raise exceptions.SchemaOutdated('The database holds no tables of this service yet: run "cells db sync".')
    if revision == schema.HEAD:
        return []
    if revision in schema.REVISIONS:
        raise exceptions.SchemaOutdated(
            f'The database is at revision {revision} and this release needs {schema.HEAD}: run "cells db sync".'
        )
    return [
        f"The database is at revision {revision}, which a newer release made; this one knows {schema.HEAD}. "
        "It will do, until a release after that one takes away what this one needs."
    ]


def _is_of_nova(cap: str) -> bool:
    """Whether ``cap`` names a release of Nova: such a neighbor will never read more, so there is nothing to raise."""
    release = cap.strip().lower()
    return release in versions.VERSION_ALIASES and not release.startswith("cells-")


def _held(what: str, cap: str | None, who_reads: str) -> str:
    return (
        f"{what} at {cap}, and this release speaks {versions.CURRENT}. "
        f"It can be raised once the {who_reads} more: see 'cells upgrade matrix'."
    )


def _problems_of_driver(name: str) -> list[str]:
    loaded = _load("cells.drivers", "driver", name)
    if isinstance(loaded, str):
        return [loaded]
    if inspect.isclass(loaded) and not issubclass(loaded, BaseCellsDriver):
        return [f"The driver {name!r} is no {BaseCellsDriver.__name__} but {loaded.__name__}."]
    return []


def _problems_of_transport(url: str) -> list[str]:
    """Of a URL that has a scheme; what else is wrong with it is found by who reads it."""
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9.-]*)(\+[a-zA-Z0-9.+-]*)?://", url)
    loaded = scheme and _load("oslo.messaging.drivers", "transport", scheme[1].lower())
    return [loaded] if isinstance(loaded, str) else []


def _load(group: str, noun: str, name: str) -> object:
    """What the entry point ``name`` stands for, or a text that says why it cannot be loaded."""
    installed = {entry.name: entry for entry in metadata.entry_points(group=group)}
    if name not in installed:
        return f"There is no {noun} {name!r:.80}; those installed are: {', '.join(sorted(installed))}."
    try:
        loaded: object = installed[name].load()
    except Exception as error:  # a plug-in may raise anything when it is imported
        text = " ".join(str(error).split())
        return f"The {noun} {name!r} cannot be loaded: {type(error).__name__}: {text}."
    return loaded


def _result(failures: list[str], warnings: list[str]) -> upgradecheck.Result:
    if failures:
        code = upgradecheck.Code.FAILURE
    else:
        code = upgradecheck.Code.WARNING if warnings else upgradecheck.Code.SUCCESS
    return upgradecheck.Result(code, "\n".join([*failures, *warnings]) or None)


def _tell(text: str) -> int:
    print(f"{PROGRAM}: {' '.join(text.split())}", file=sys.stderr)  # noqa: T201  # there is no log
    return STATUS_UNEXPECTED


@contextlib.contextmanager
def _without_log() -> Iterator[None]:
    """What is worth knowing is in the results; without any handler, Python would print warnings between them."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
