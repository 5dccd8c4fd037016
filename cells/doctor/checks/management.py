"""The management API of the broker, where one is given: the checks of queues ask it."""

from __future__ import annotations

from collections.abc import Iterable

from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.transport import mailbox
from cells.transport.management import ManagementError


class ManagementCheck(Check):
    """A list of the queues of the own virtual host."""

    name = "management"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.has_broker or mailbox.OWN_OPTION not in case.broker_options():
            return
        try:
            case.held_queues.listed(mailbox.OWN_OPTION)
        except ManagementError as error:
            text = f"The management API of the broker tells nothing about its queues: {error}."
            yield found("management_unusable", text, "[cells] management_url")
