"""The TLS certificates of the brokers: of this cell, and of the neighbors whose URLs demand TLS."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from cells import exceptions
from cells.certificates.certificate import Certificate, show_date
from cells.certificates.expiry import NOTICE
from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.encrypted_hosts import EncryptedHost
from cells.doctor.finding import Finding, found
from cells.doctor.side_by_side import SideBySide
from cells.transport import tls_certificate


class BrokerCertificateCheck(Check):
    """A TLS handshake with each host of these brokers.  A host that does not answer is left to other checks."""

    name = "certificates of brokers"

    def run(self, case: Case) -> Iterable[Finding]:
        deadline = time.monotonic() + case.timeout_seconds
        now = datetime.fromtimestamp(case.wall_clock(), timezone.utc)
        hosts = list(dict.fromkeys(case.encrypted_hosts()))
        shown, missing = SideBySide(hosts, lambda host: _look_at(case, host)).wait(deadline)
        for host, certificate in sorted(shown, key=lambda one: hosts.index(one[0])):
            if certificate is not None:
                yield from _findings(host, certificate, now)
        if missing:
            text = f"{missing} hosts of brokers have not shown their certificates in {case.timeout_seconds:g} s."
            yield found("check_unfinished", text, self.name)


def _look_at(case: Case, host: EncryptedHost) -> Certificate | None:
    try:
        der = tls_certificate.shown_by(host.host, case.answer_seconds)
        return Certificate.from_der(der)
    except (OSError, exceptions.CertificateError):
        return None


def _findings(host: EncryptedHost, certificate: Certificate, now: datetime) -> Iterator[Finding]:
    whose = f"The certificate of the broker of {host.owner or 'this cell'} at {host.host}"
    subject = host.owner or str(host.host)
    evidence = f"subject {certificate.subject:.80}, valid from {show_date(certificate.not_before)}"
    end = show_date(certificate.not_after)
    if now > certificate.not_after:
        yield found("broker_certificate_invalid", f"{whose} expired on {end}.", subject, evidence=evidence)
    elif now < certificate.not_before:
        text = f"{whose} is not valid before {show_date(certificate.not_before)}."
        yield found("broker_certificate_invalid", text, subject, evidence=evidence)
    elif certificate.not_after - now < NOTICE:
        text = f"{whose} expires in {certificate.days_left(now)} days, on {end}."
        yield found("broker_certificate_expires", text, subject, evidence=evidence)
