"""The clocks of the cells, as far as their answers to a ping name the time."""

from __future__ import annotations

from collections.abc import Iterable

from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.doctor.routes import path_of

#: Certificates, tokens and logs bear a smaller difference.
TOLERATED_SECONDS = 5.0


class ClockCheck(Check):
    """The time in each answer must lie between the times at which the ping was sent and answered."""

    name = "clocks"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.has_manager():
            return
        own, pings = case.path, case.pings()
        for answer in pings.answers:
            time = answer.value.get("time") if isinstance(answer.value, dict) else None
            if isinstance(time, bool) or not isinstance(time, (int, float)):
                continue
            seconds = max(time - pings.answered_at, 0.0) - max(pings.sent_at - time, 0.0)
            if abs(seconds) > TOLERATED_SECONDS:
                path, direction = str(path_of(own, answer)), "ahead of" if seconds > 0 else "behind"
                text = f"The clock of {path} is at least {abs(seconds):.0f} s {direction} that of this host."
                yield found("clock_skew", text, path, evidence=f"its answer to a ping says {time:.3f}")
