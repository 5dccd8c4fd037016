"""Report: the verdict of an examination, as a text and as a JSON object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from cells.doctor.catalog import Severity
from cells.doctor.finding import Finding


@dataclass(frozen=True)
class CheckRun:
    """One check that ran."""

    name: str
    #: time that it took; None: it did not end in its time
    seconds: float | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Report:
    """The findings of all checks, the worst first."""

    #: path of the cell, or its name where the path is not known
    cell: str
    #: seconds since 1970
    at: float
    seconds: float
    checks: tuple[CheckRun, ...]
    findings: tuple[Finding, ...]

    @property
    def status(self) -> int:
        """The exit status: 0 well, 1 worth a look, 2 broken."""
        return max((int(finding.severity) for finding in self.findings), default=0)

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return Severity(self.status).text if self.status else "well"

    def as_dict(self) -> dict[str, Any]:
        """Return the object for JSON, whose keys are documented on the reference page."""
        return {
            "verdict": self.verdict,
            "status": self.status,
            "cell": self.cell,
            "time": datetime.fromtimestamp(self.at, timezone.utc).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 3),
            "checks": [
                {
                    "name": check.name,
                    "is_finished": check.seconds is not None,
                    "seconds": None if check.seconds is None else round(check.seconds, 3),
                    "findings": len(check.findings),
                }
                for check in self.checks
            ],
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def lines(self) -> Iterator[str]:
        """Yield the text: the verdict on the first line, then the findings."""
        yield f"{self.verdict}: {self._counts()}"
        for finding in self.findings:
            yield ""
            about = f" {finding.subject}" if finding.subject else ""
            yield f"{finding.severity.text.upper()}  {finding.name}{about} (cell {finding.cell or '?'})"
            yield f"  {finding.text}"
            seen = "; ".join(
                filter(None, (finding.evidence, _since(finding), finding.seen_by and f"seen by {finding.seen_by}"))
            )
            if seen:
                yield f"  seen: {seen}"
            yield f"  do:   {finding.remedy}"

    def _counts(self) -> str:
        broken = sum(finding.severity is Severity.BROKEN for finding in self.findings)
        look = len(self.findings) - broken
        if not self.findings:
            return f"{len(self.checks)} checks of cell {self.cell or '?'} found nothing"
        if not broken:
            return _findings(look)
        return _findings(broken) + (f", {look} worth a look" if look else "")


def _findings(count: int) -> str:
    return f"{count} finding{'' if count == 1 else 's'}"


def _since(finding: Finding) -> str:
    seconds = finding.since_seconds
    return "" if seconds is None else f"for {seconds:.0f} s"
