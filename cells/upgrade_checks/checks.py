"""The checks of a configuration and its database, without a manager and without a broker.

``cells-status upgrade check`` runs them before the managers of a new release start, and ``cells doctor`` at any time.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from oslo_config import cfg

from cells import exceptions, path, preflight, versions
from cells.db import engine, migration, schema
from cells.db.api import Database
from cells.drivers.base import BaseCellsDriver
from cells.neighbors.loader import FileSource
from cells.neighbors.neighbor import Neighbor
from cells.transport import mailbox
from cells.transport import url as transport_url
from cells.transport.opening import open_transport, register_options
from cells.upgrade_checks import direct_links


class Result(NamedTuple):
    """The texts of one check."""

    failures: list[str]
    warnings: list[str]


class Neighbors(NamedTuple):
    """Rows of the neighbors, and the problems found while reading them."""

    rows: list[Neighbor]
    failures: list[str]
    warnings: list[str]
    #: True if the tables must be created or upgraded before rows can be read
    are_tables_older: bool = False
    #: False if the rows could not be read at all; a single row may be invalid nevertheless
    is_read: bool = True


class UpgradeChecks:
    """The checks of one configuration.  Each runs even if another one fails."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:param conf: not read before the checks run"""
        self._conf = conf

    @functools.cached_property
    def neighbors(self) -> Neighbors:
        return self._from_file() if self._conf.cells.cells_config else self._from_database()

    def _from_file(self) -> Neighbors:
        found = Neighbors([], [], [])
        try:
            found.rows.extend(FileSource(self._conf.cells.cells_config).neighbors())
        except exceptions.ConfigurationError as error:
            found.failures.append(error.message)
        try:
            found.warnings.extend(self._check_registry_schema())
        except exceptions.CellsError as error:
            found.failures.append(error.message)
        return found

    def _from_database(self) -> Neighbors:
        try:
            warnings = _check_schema(self._conf)
        except exceptions.CellsError as error:
            return Neighbors([], [error.message], [], isinstance(error, exceptions.SchemaOutdated), is_read=False)
        try:
            with contextlib.closing(Database(self._conf)) as database:
                rows, problems = database.examine()
        except exceptions.CellsError as error:
            return Neighbors([], [error.message], [], is_read=False)
        consequence = "Until then the manager ignores this neighbor."
        return Neighbors(rows, [f"{problem.message} {consequence}" for problem in problems], warnings)

    def _check_registry_schema(self) -> list[str]:
        """Check the tables if a brokerless cell registers its servers there, even if its neighbors are in a file."""
        register_options(self._conf)
        zmq = self._conf.oslo_messaging_zmq
        urls = mailbox.own_urls(self._conf)
        is_needed = any(map(transport_url.is_brokerless, urls)) and zmq.matchmaker == "sql"
        return _check_schema(self._conf) if is_needed and not zmq.matchmaker_connection else []

    def settings(self) -> Result:
        """Check the settings that would end the start of the manager, and the packages of endpoints."""
        return Result([*preflight.problems(self._conf), *preflight.endpoints_of_one_name()], [])

    def database(self) -> Result:
        """Check that the tables have the revision of this release, and that every row can be read."""
        return Result(self.neighbors.failures, self.neighbors.warnings)

    def names(self) -> Result:
        """Check that this cell has a valid name, and that no neighbor has the same name."""
        own_name, failures = self._conf.cells.name, []
        if not own_name:
            failures.append("[cells] name is not set: set the name of this cell in the configuration file.")
        else:
            try:
                path.check_name(own_name)
            except exceptions.InvalidNeighbor as error:
                failures.append(f"[cells] name: {error.message}")
        if any(row.name == own_name for row in self.neighbors.rows):
            file = self._conf.cells.cells_config
            remove = f"in {file}" if file else f"with 'cells neighbor delete {own_name}'"
            failures.append(
                f"Neighbor {own_name} has the name of this cell, so the manager ignores it: "
                f"remove it {remove}, or correct [cells] name."
            )
        return Result(failures, self._unchecked())

    def version_caps(self) -> Result:
        """Check that caps are valid, and list the caps that hold a link below the version of this release."""
        failures: list[str] = []
        warnings = self._unchecked()
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
        return Result(failures, [*warnings, *filter(None, map(self._problem_of_cap, self.neighbors.rows))])

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

    def drivers(self) -> Result:
        """Check that all drivers and transports are installed and load."""
        failures = [f"[cells] driver: {problem}" for problem in self._problems_of_driver(self._conf.cells.driver)]
        failures += self._problems_of_own_transport()
        for row in self.neighbors.rows:
            problems = self._problems_of_driver(row.driver)
            if row.driver == preflight.RPC_DRIVER:
                problems += self._problems_of_transport(row.transport_url)
            failures += [f"Neighbor {row.name}: {problem}" for problem in problems]
        return Result(failures, self._unchecked())

    def _problems_of_own_transport(self) -> list[str]:
        register_options(self._conf)
        problems = self._problems_of_transport(self._conf.transport_url)
        if problems:
            return [f"[DEFAULT] transport_url: {problem}" for problem in problems]
        try:
            open_transport(self._conf).cleanup()
        except exceptions.ConfigurationError as error:
            return [error.message]
        return []

    def _problems_of_driver(self, name: str) -> list[str]:
        loaded = self._load("driver", name)
        if isinstance(loaded, str):
            return [loaded]
        if inspect.isclass(loaded) and not issubclass(loaded, BaseCellsDriver):
            return [f"The driver {name!r} is a {loaded.__name__}, not a {BaseCellsDriver.__name__}."]
        return []

    def _problems_of_transport(self, url: str) -> list[str]:
        """Check only the scheme of the URL; the transport and the driver check the other parts."""
        scheme = re.match(r"([a-zA-Z][a-zA-Z0-9.-]*)(\+[a-zA-Z0-9.+-]*)?://", url)
        loaded = scheme and self._load("transport", scheme[1].lower())
        return [loaded] if isinstance(loaded, str) else []

    def _load(self, noun: str, name: str) -> object:
        """Return the object of the entry point ``name``, or a text with the reason why it does not load."""
        installed = self._installed[noun]
        if name not in installed:
            return f"There is no {noun} {name!r:.80}; installed {noun}s: {', '.join(sorted(installed))}."
        try:
            loaded: object = installed[name].load()
        except Exception as error:  # the import of a plug-in may raise any class
            text = " ".join(str(error).split())
            return f"The {noun} {name!r} cannot be loaded: {type(error).__name__}: {text}."
        return loaded

    @functools.cached_property
    def _installed(self) -> dict[str, dict[str, metadata.EntryPoint]]:
        """Entry points by noun and name; the search reads files of every installed package, so it runs once."""
        groups = {"driver": "cells.drivers", "transport": "oslo.messaging.drivers"}
        return {
            noun: {entry.name: entry for entry in metadata.entry_points(group=group)} for noun, group in groups.items()
        }

    def direct_links(self) -> Result:
        """Check the certificate of this cell, those of authorities and neighbors, and the addresses to listen at."""
        return Result(*direct_links.check(self._conf, self.neighbors.rows, datetime.now(timezone.utc)))

    def _unchecked(self) -> list[str]:
        """Return a warning for the checks of rows if no row could be read."""
        if self.neighbors.rows or not self.neighbors.failures:
            return []
        if self.neighbors.are_tables_older:
            return ["No neighbor is checked until the tables are upgraded."]
        return ["No neighbor is checked, because no row could be read."]


def _check_schema(conf: cfg.ConfigOpts) -> list[str]:
    """Check the revision of the tables; return the warnings.

    :raises cells.exceptions.SchemaOutdated: the tables must be created or upgraded first
    :raises cells.exceptions.CellsError: the database cannot be read
    """
    url = engine.read_url(conf.database.connection)
    # A connection to SQLite creates the file, owned by the user who runs the check instead of the manager's user.
    is_file = url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("file:")
    revision = None if is_file and not Path(url.database or "").exists() else migration.version(conf)
    return schema.warnings_about(revision)


def _is_of_nova(cap: str) -> bool:
    """Return whether ``cap`` names a release of Nova: such a neighbor never reads more, so the cap cannot be raised."""
    release = cap.strip().lower()
    return release in versions.VERSION_ALIASES and not release.startswith("cells-")


def _held(cap_and_link: str, cap: str | None, neighbors_read: str) -> str:
    return (
        f"{cap_and_link} at {cap}, and this release speaks {versions.CURRENT}. "
        f"It can be raised when the {neighbors_read} more: see 'cells upgrade matrix'."
    )
