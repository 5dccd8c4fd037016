"""The remaining seconds of a call, cell by cell, and the check of a timeout."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions
from cells.deadlines import LONGEST_SECONDS, MOST_SECONDS, SHARE, shrink, want_timeout
from tests.cases import each


def test_a_hop_keeps_a_share_of_a_short_timeout() -> None:
    assert shrink(1.0) == pytest.approx(1.0 - SHARE)
    assert shrink(1.0, 2) == pytest.approx((1.0 - SHARE) ** 2)


def test_a_hop_keeps_a_bounded_part_of_a_long_timeout() -> None:
    assert shrink(LONGEST_SECONDS, 3) == LONGEST_SECONDS - 3 * MOST_SECONDS


def test_no_hops_keep_nothing() -> None:
    assert shrink(5.0, 0) == 5.0


@each("seconds", [1e-9, 0.001, 1.0, 60.0, LONGEST_SECONDS])
def test_each_cell_has_fewer_seconds_than_the_cell_before_and_more_than_zero(seconds: float) -> None:
    left = [shrink(seconds, hops) for hops in range(20)]
    assert left == sorted(left, reverse=True)
    assert len(set(left)) == 20
    assert left[-1] > 0


@each("timeout", [0.001, 1, LONGEST_SECONDS])
def test_a_timeout_is_a_number_of_seconds(timeout: float) -> None:
    assert want_timeout(timeout) == float(timeout)


@each(
    "timeout",
    [0, -1, True, None, "1", [], float("nan"), float("inf"), 1e308, LONGEST_SECONDS + 1, 10**400],
    ids=lambda value: str(value)[:9],
)
def test_an_invalid_timeout_is_refused(timeout: Any) -> None:
    with pytest.raises(exceptions.InvalidArguments) as caught:
        want_timeout(timeout)
    assert len(str(caught.value)) < 200
