"""Distribution: values in fixed buckets, and their sum."""

from __future__ import annotations

from concurrent import futures

from cells.distribution import MAX_FRESH, Distribution


def test_starts_empty() -> None:
    assert Distribution((1, 2)).buckets() == ([("1.0", 0), ("2.0", 0), ("+Inf", 0)], 0.0)


def test_a_bucket_contains_its_bound_and_all_lower_values() -> None:
    distribution = Distribution((1, 2))
    for value in (0.5, 1, 2, 3):
        distribution.observe(value)
    assert distribution.buckets() == ([("1.0", 2), ("2.0", 3), ("+Inf", 4)], 6.5)


def test_no_value_is_lost_between_threads() -> None:
    distribution = Distribution((1, 2))
    values = [1] * (MAX_FRESH + 1)
    with futures.ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(lambda: [distribution.observe(value) for value in values])
    counts, total = distribution.buckets()
    assert counts[-1] == ("+Inf", total) == ("+Inf", 4 * len(values))
