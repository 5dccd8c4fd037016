"""One verdict on a cell: checks that run side by side, each within its time, and the findings that they lead to.

``cells doctor`` calls :func:`examine`.  The checks ask the configuration, the database, the broker and the manager of
the cell, and the brokers of its neighbors; they change nothing there.
"""

from cells.doctor.case import Case
from cells.doctor.catalog import KINDS, Kind, Severity
from cells.doctor.examination import examine, without_configuration
from cells.doctor.finding import Finding, found
from cells.doctor.report import Report

__all__ = ["KINDS", "Case", "Finding", "Kind", "Report", "Severity", "examine", "found", "without_configuration"]
