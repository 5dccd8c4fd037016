"""The contract of a check."""

from __future__ import annotations

import abc
from collections.abc import Iterable

from cells.doctor.case import Case
from cells.doctor.finding import Finding, found


class Check(abc.ABC):
    """One check.  It is stateless, and runs on a thread of its own that is left behind when its time is over."""

    #: as the output names it
    name: str

    @abc.abstractmethod
    def run(self, case: Case) -> Iterable[Finding]:
        """Return the findings, or yield each as soon as it is known.  May block; may raise any error, a finding then.

        The findings that were yielded before the time is over count.
        """

    def overdue(self, case: Case) -> Finding:
        """Return the finding of a check that has not ended in its time."""
        text = f"The check of {self.name} has not ended within {case.timeout_seconds:g} s."
        return found("check_unfinished", text, self.name)
