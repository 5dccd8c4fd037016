"""The database, or the file, that has the rows of the neighbors: reachable, of this release, and readable."""

from __future__ import annotations

from collections.abc import Iterable

from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found


class DatabaseCheck(Check):
    """The check before an upgrade that concerns the database; keeps the rows for the checks of the neighbors."""

    name = "database"

    def run(self, case: Case) -> Iterable[Finding]:
        neighbors = case.upgrade_checks.neighbors
        case.rows = tuple(neighbors.rows)
        if neighbors.are_tables_older:
            name = "database_outdated"
        elif neighbors.is_read:
            name = "neighbor_row_unreadable"
        else:
            name = "setting_wrong" if case.conf.cells.cells_config else "database_unavailable"
        for text in neighbors.failures:
            yield found(name, text)
        for text in neighbors.warnings:
            yield found("database_newer", text)

    def overdue(self, case: Case) -> Finding:
        text = f"The database has not answered within {case.timeout_seconds:g} s."
        return found("database_unavailable", text)
