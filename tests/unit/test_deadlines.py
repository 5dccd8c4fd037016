"""How much of a call's time is left, cell by cell."""

from __future__ import annotations

import pytest

from cells.deadlines import LONGEST_SECONDS, MOST_SECONDS, SHARE, shrink
from tests.cases import each


def test_a_hop_keeps_a_share_of_a_short_time() -> None:
    assert shrink(1.0) == pytest.approx(1.0 - SHARE)
    assert shrink(1.0, 2) == pytest.approx((1.0 - SHARE) ** 2)


def test_a_hop_keeps_no_more_than_so_many_seconds_of_a_long_time() -> None:
    assert shrink(LONGEST_SECONDS, 3) == LONGEST_SECONDS - 3 * MOST_SECONDS


def test_no_hops_keep_nothing() -> None:
    assert shrink(5.0, 0) == 5.0


@each("seconds", [1e-9, 0.001, 1.0, 60.0, LONGEST_SECONDS])
def test_each_cell_has_less_than_the_one_before_and_something_is_left(seconds: float) -> None:
    left = [shrink(seconds, hops) for hops in range(20)]
    assert left == sorted(left, reverse=True)
    assert len(set(left)) == 20
    assert left[-1] > 0
