"""Expiry: the certificates that end soon, as texts for the operator.

The status of a manager, ``cells-status upgrade check`` and ``cells cert show`` have these texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cells import exceptions
from cells.certificates.certificate import Certificate, show_date

#: Certificates are replaced in working hours, in several cells.
NOTICE = timedelta(days=30)


def expiring(certificates: Iterable[tuple[str, Certificate]], now: datetime, within: timedelta = NOTICE) -> list[str]:
    """Return a text for each certificate that is outside its dates, or expires within a time.

    :param certificates: each one with the owner that begins its text, for example ``neighbor east``
    """
    found = []
    for owner, certificate in certificates:
        try:
            certificate.check_is_valid(now)
        except exceptions.CertificateError as error:
            found.append(f"{owner}: {error.message}")
            continue
        if certificate.not_after - now < within:
            found.append(
                f"{owner}: The certificate {certificate} expires in {certificate.days_left(now)} days, on "
                f"{show_date(certificate.not_after)}: create and register a new certificate before that day."
            )
    return found
