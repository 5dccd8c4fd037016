"""Finding: one problem of a cell, with the evidence for it and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cells.doctor.catalog import KINDS, Severity


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One problem.  Empty texts are not known."""

    #: a key of :data:`cells.doctor.catalog.KINDS`
    name: str
    #: the cell that has the problem: its path, or its name where the path is not known
    cell: str = ""
    #: the neighbor, the queue, the option or the check concerned
    subject: str = ""
    text: str
    #: the facts that the check saw
    evidence: str = ""
    #: for how long the problem has lasted; None: not known
    since_seconds: float | None = None
    #: the host of the manager that saw it; empty: this command did
    seen_by: str = ""
    remedy: str

    @property
    def severity(self) -> Severity:
        return KINDS[self.name].severity

    def as_dict(self) -> dict[str, Any]:
        """Return the object for JSON, whose keys are documented on the reference page."""
        return {
            "name": self.name,
            "severity": self.severity.text,
            "cell": self.cell or None,
            "subject": self.subject or None,
            "text": self.text,
            "evidence": self.evidence or None,
            "since_seconds": self.since_seconds,
            "seen_by": self.seen_by or None,
            "remedy": self.remedy,
        }


def found(name: str, text: str, subject: str = "", **facts: Any) -> Finding:
    """Return a finding with the remedy of its kind.

    :param facts: further fields of a :class:`Finding`
    """
    remedy = KINDS[name].remedy.format(subject=subject or "NAME")
    return Finding(**{"name": name, "text": text, "subject": subject, "remedy": remedy, **facts})
