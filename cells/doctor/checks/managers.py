"""The managers of this cell: each answers over the broker, belongs to this cell, and runs this release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import metadata

from cells import exceptions, failure
from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.doctor.managers_asked import Status
from cells.transport.errors import is_forbidden


class ManagerCheck(Check):
    """A request to each manager of this cell: the broker gives requests to the consumers in turn."""

    name = "manager"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.has_broker:
            return
        consumers = case.consumers()
        if consumers == 0:
            topic = case.conf.cells.topic
            text = f"No manager of this cell runs: the queue {topic!r} has no consumer."
            yield found("manager_down", text, evidence="counted at the broker")
            return
        statuses, errors = case.managers()
        yield from _contradictions(case, statuses)
        if any(isinstance(error, exceptions.ConfigurationError) for error in errors):
            return  # reported as a setting
        if any(map(is_forbidden, errors)):
            return  # the check of the permissions reports it
        if errors and consumers is None:
            yield found("manager_down", failure.text_of(errors[0]))
        elif errors:
            yield _silent(statuses, errors)

    def overdue(self, case: Case) -> Finding:
        text = f"The managers of this cell have not answered within {case.timeout_seconds:g} s."
        return found("manager_silent", text)


def _silent(statuses: list[Status], errors: list[Exception]) -> Finding:
    silent = len(errors)
    evidence = f"{failure.name_of(errors[0])}: {failure.text_of(errors[0])}"
    if not statuses:
        text = "The manager of this cell is connected to the broker and does not answer: its process hangs."
        return found("manager_silent", text, evidence=evidence)
    text = f"{silent} of {len(statuses) + silent} managers of this cell do not answer: a process hangs."
    hosts = ", ".join(sorted({str(one.get("host")) for one in statuses}))
    return found("manager_silent", text, evidence=f"{evidence}; hosts that answer: {hosts}")


def _contradictions(case: Case, statuses: list[Status]) -> Iterator[Finding]:
    own_release = metadata.version("cells-intercell")
    for name in sorted({str(one["name"]) for one in statuses if one.get("name") not in (None, case.name)}):
        text = f"A manager of cell {name:.80} answers on the broker and topic of cell {case.name}."
        yield found("manager_of_other_cell", text, name)
    processes = {(one.get("host"), one.get("pid")) for one in statuses}
    for host, count in Counter(host for host, _ in processes).items():
        if count > 1:
            text = f"{count} managers of this cell have the host name {host!s:.80}, and take each other's answers."
            yield found("managers_with_one_host", text, str(host))
    for host, release in sorted({(str(one.get("host")), str(one.get("release"))) for one in statuses}):
        if release != own_release:
            text = f"The manager {host:.80} runs release {release:.40}, and {own_release} is installed here."
            yield found("release_differs", text, host, seen_by=host)
