"""The settings: those that can never work, the name of this cell, its drivers, and the caps."""

from __future__ import annotations

from collections.abc import Iterable

from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found


class ConfigurationCheck(Check):
    """The checks before an upgrade that concern settings."""

    name = "configuration"

    def run(self, case: Case) -> Iterable[Finding]:
        checks = case.upgrade_checks
        for text in dict.fromkeys([*checks.settings().failures, *checks.names().failures, *checks.drivers().failures]):
            yield found("setting_wrong", text)
        for text in checks.version_caps().failures:
            yield found("cap_unreadable", text)
