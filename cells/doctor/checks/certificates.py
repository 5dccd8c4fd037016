"""The certificates of direct links: of this cell, of authorities, and of neighbors."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from cells import exceptions
from cells.certificates.certificate import Certificate
from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.neighbors.neighbor import Neighbor


class CertificateCheck(Check):
    """The check before an upgrade that concerns certificates, and a closer look at those of neighbors."""

    name = "certificates"

    def run(self, case: Case) -> Iterable[Finding]:
        checks, now = case.upgrade_checks, datetime.fromtimestamp(case.wall_clock(), timezone.utc)
        results = checks.direct_links()
        for text in results.failures:
            yield found("certificate_unusable", text)
        useless = {row.name: text for row in case.rows if (text := _why_useless(row, now))}
        for name, text in useless.items():
            yield found("certificate_unusable", f"Neighbor {name}: {text}", name)
        prefixes = tuple(f"Neighbor {name}: " for name in useless)
        for text in results.warnings:
            if not text.startswith(prefixes):
                yield found("certificate_expires", text)


def _why_useless(row: Neighbor, now: datetime) -> str:
    """Return why none of the certificates of a neighbor can be used now; empty if one can, or there is none."""
    reasons = [_why_invalid(one, now) for one in row.certificate_list]
    return reasons[0] if reasons and all(reasons) else ""


def _why_invalid(certificate: Certificate, now: datetime) -> str:
    try:
        certificate.check_is_valid(now)
    except exceptions.CertificateError as error:
        return error.message
    return ""
