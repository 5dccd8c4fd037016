"""The broker of this cell, and that of its mailbox: a login, and whether it takes messages."""

from __future__ import annotations

from collections.abc import Iterable

from cells import exceptions
from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.transport import mailbox, rabbitmq
from cells.transport.rabbitmq import BrokerUnusableError

_NAMES = {
    rabbitmq.SILENT: "broker_silent",
    rabbitmq.LOGIN: "broker_login",
    rabbitmq.VIRTUAL_HOST: "virtual_host",
}


class BrokerCheck(Check):
    """A login at each broker at which this cell receives."""

    name = "broker"

    def run(self, case: Case) -> Iterable[Finding]:
        for option in case.broker_options():
            try:
                with case.broker(option):
                    pass
            except BrokerUnusableError as error:
                if option == mailbox.OWN_OPTION:
                    case.has_broker = False
                yield found(_NAMES.get(error.reason, "broker_unreachable"), f"{error}.", option)
            except exceptions.ConfigurationError:
                # The check of the configuration reports it.
                case.has_broker = False

    def overdue(self, case: Case) -> Finding:
        case.has_broker = False
        text = f"The broker of this cell has not answered within {case.timeout_seconds:g} s."
        return found("broker_silent", text, mailbox.OWN_OPTION)
