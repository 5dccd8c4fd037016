"""The consumers of each manager: a message that the manager sends to itself through its broker must arrive."""

from __future__ import annotations

import time
from collections.abc import Iterable

from cells import context, exceptions, failure
from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.doctor.side_by_side import SideBySide


class ConsumerCheck(Check):
    """A request to each manager to prove its consumers, as /readyz does."""

    name = "consumers"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.has_manager():
            return
        deadline = time.monotonic() + case.timeout_seconds
        statuses, _ = case.managers()
        hosts = sorted({str(one.get("host")) for one in statuses if one.get("name") in (None, case.name)})
        proofs, missing = SideBySide(hosts, lambda host: _prove(case, host)).wait(deadline)
        for host, problems in sorted(proofs):
            for part, problem in sorted(problems.items()):
                if problem:
                    text = f"The manager {host:.80} takes no {part}: {problem}."
                    yield found("consumer_deaf", text, part, seen_by=host)
        if missing:
            text = f"{missing} managers have not proven their consumers in {case.timeout_seconds:g} s."
            yield found("check_unfinished", text, self.name)


def _prove(case: Case, host: str) -> dict[str, str]:
    """Return the problem of each part of one manager; none if the manager cannot prove its consumers."""
    try:
        return case.manager().check_consumers(context.get_admin_context(), timeout=case.answer_seconds, server=host)
    except exceptions.ManagerTimeout as error:
        # It has answered a status just before.
        return {"requests that are sent to it alone": failure.text_of(error)}
    except Exception:  # of a manager of an older release, which the check of the managers reports, or under a low cap
        return {}
