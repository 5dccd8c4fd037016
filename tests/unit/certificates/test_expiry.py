"""Certificates that end soon are named, each with its owner."""

from __future__ import annotations

from datetime import datetime, timedelta

from cells.certificates import expiry, issuing
from cells.path import CellPath
from tests.cases import each
from tests.unit.certificates.made import DAY, NOW, read

EAST = read(issuing.self_signed(CellPath.parse("api!east"), issuing.new_key(), now=NOW, days=100))
SECOND = timedelta(seconds=1)


@each(
    ("now", "is_named"),
    [
        (NOW, False),
        (EAST.not_after - 30 * DAY, False),
        (EAST.not_after - 30 * DAY + SECOND, True),
        (EAST.not_after, True),
        (EAST.not_after + DAY, True),
        (EAST.not_before - SECOND, True),
    ],
)
def test_thirty_days_ahead(now: datetime, is_named: bool) -> None:
    assert bool(expiry.expiring([("neighbor east", EAST)], now)) is is_named


def test_text_names_the_owner_the_certificate_and_the_day() -> None:
    now = EAST.not_after - 12 * DAY
    [text] = expiry.expiring([("neighbor east", EAST)], now)
    assert text.startswith("neighbor east: ")
    assert EAST.fingerprint[:23] in text
    assert "12 days" in text
    assert f"{EAST.not_after:%Y-%m-%d}" in text


def test_each_certificate_of_an_owner_has_its_own_text() -> None:
    found = [("neighbor east", EAST), ("this cell", EAST)]
    assert len(expiry.expiring(found, NOW, within=101 * DAY)) == 2
    assert expiry.expiring(found, NOW, within=50 * DAY) == []
