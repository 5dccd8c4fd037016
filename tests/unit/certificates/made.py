"""Certificates of cells and of authorities, as tests need them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from cells.certificates import certificate, issuing
from cells.certificates.certificate import Certificate

NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)


def read(pem: str) -> Certificate:
    [found] = certificate.read(pem.encode(), "the test")
    return found


def authority(name: str = "ca", *, now: datetime = NOW) -> issuing.Authority:
    key = issuing.new_key()
    return issuing.Authority(read(issuing.authority(name, key, now=now, days=100)), key)
