"""Ranking: rejected candidates, order of the others, and the effect of bugs in plug-ins."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions
from cells.scheduler import Candidate, CellFilter, CellRequirements, CellWeigher, Scheduler
from tests.cases import each
from tests.unit.scheduler.candidates import ANY, child

CANDIDATES = [child(f"api!{name}") for name in "abcdef"]


class Rejecting(CellFilter):
    """Filter that asks a function for the reason."""

    def __init__(self, name: str, why: Callable[[Candidate], str | None]) -> None:
        super().__init__(name)
        self._why = why
        self.asked: list[str] = []

    def reject(self, candidate: Candidate, requirements: CellRequirements) -> str | None:
        self.asked.append(candidate.name)
        return self._why(candidate)


class Given(CellWeigher):
    """Weigher with a list of weights, for the candidates in the order of their names."""

    def __init__(self, name: str, weights: Sequence[float]) -> None:
        super().__init__(name)
        self._weights = dict(zip("abcdef", weights, strict=False))

    def weigh(self, candidate: Candidate, requirements: CellRequirements) -> float:
        return self._weights[candidate.name]


class Raw(Given):
    is_normalized: ClassVar[bool] = False


class Doubled(Raw):
    default_multiplier: ClassVar[float] = 2.0


def order(*weighers: CellWeigher, count: int, multipliers: dict[str, float] | None = None) -> str:
    """Return the names, best first."""
    ranking = Scheduler([], weighers, multipliers, random.Random(7)).rank(CANDIDATES[:count], ANY)
    assert ranking.rejected == {}
    return "".join(candidate.name for candidate in ranking.chosen)


def test_the_first_rejecting_filter_gives_the_reason() -> None:
    first = Rejecting("first", lambda candidate: "it is a" if candidate.name == "a" else None)
    second = Rejecting("second", lambda candidate: f"it is {candidate.name}" if candidate.name in "ab" else None)
    ranking = Scheduler([first, second], []).rank(CANDIDATES[:3], ANY)
    assert ranking.rejected == {"api!a": "it is a", "api!b": "it is b"}
    assert [candidate.name for candidate in ranking.chosen] == ["c"]
    assert second.asked == ["b", "c"]


def test_an_empty_reason_rejects() -> None:
    ranking = Scheduler([Rejecting("mine", lambda _: "")], []).rank(CANDIDATES[:1], ANY)
    assert ranking.rejected == {"api!a": "the filter mine rejects it"}


def test_a_filter_that_fails_rejects_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    ranking = Scheduler([Rejecting("mine", lambda _: str(1 // 0))], []).rank(CANDIDATES[:1], ANY)
    assert ranking.chosen == []
    assert ranking.rejected["api!a"].startswith("the filter mine failed: ZeroDivisionError: ")
    assert "mine" in caplog.text
    assert "api!a" in caplog.text


def test_no_candidates() -> None:
    ranking = Scheduler([], [Given("w", [])]).rank([], ANY)
    assert (ranking.chosen, ranking.rejected) == ([], {})


def test_heavier_is_better() -> None:
    assert order(Given("w", [2, 3, 1]), count=3) == "bac"
    assert order(Raw("w", [2, 3, 1]), count=3) == "bac"
    assert order(Given("w", [2, 3, 1]), count=3, multipliers={"w": -1.0}) == "cab"


def test_normalized_weights_count_the_same_at_any_scale() -> None:
    # Normalized: 1, 0.5, 0 and 0, 0.9, 1.
    assert order(Given("large", [3000, 2000, 1000]), Given("small", [0.0, 0.9, 1.0]), count=3)[0] == "b"
    # Raw, the large one decides alone.
    assert order(Raw("large", [3000, 2000, 1000]), Given("small", [0.0, 0.9, 1.0]), count=3) == "abc"


def test_the_default_multiplier_can_be_overridden() -> None:
    against = Raw("against", [0, 3, 0])
    assert order(Doubled("w", [2, 0, 0]), against, count=3)[0] == "a"
    assert order(Doubled("w", [2, 0, 0]), against, count=3, multipliers={"w": 1.0})[0] == "b"


def test_equal_candidates_come_in_every_order() -> None:
    scheduler = Scheduler([], [Given("w", [1, 1, 1, 0])], chance=random.Random(7))
    orders = {"".join(found.name for found in scheduler.rank(CANDIDATES[:4], ANY).chosen) for _ in range(200)}
    assert orders == {"abcd", "acbd", "bacd", "bcad", "cabd", "cbad"}


def test_the_order_of_equal_candidates_is_random_by_default() -> None:
    scheduler = Scheduler([], [])
    assert len({scheduler.rank(CANDIDATES, ANY).chosen[0].name for _ in range(500)}) == len(CANDIDATES)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), None, "much", 10**400])
def test_a_weight_that_is_no_number_is_logged_and_adds_nothing(weight: float, caplog: pytest.LogCaptureFixture) -> None:
    # b has no weight, which counts as 0, like the smallest weight of the others.
    assert order(Given("w", [-1, weight, -5]), Raw("tie", [0, 0.1, 0]), count=3) == "abc"
    assert "w " in caplog.text
    assert "api!b" in caplog.text


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=6, max_size=6),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_numbers_give_an_order_of_all(weights: list[float], multiplier: float) -> None:
    names = order(Given("n", weights), Raw("r", weights), count=6, multipliers={"n": multiplier, "r": multiplier})
    assert sorted(names) == list("abcdef")


@given(st.lists(st.integers(-(10**6), 10**6), min_size=6, max_size=6), st.sampled_from([Given, Raw]))
def test_order_is_that_of_the_weights(weights: list[int], kind: type[Given]) -> None:
    by_name = dict(zip("abcdef", weights, strict=True))
    found = [by_name[name] for name in order(kind("w", weights), count=6)]
    assert found == sorted(weights, reverse=True)


def test_a_multiplier_of_an_unknown_weigher_is_refused() -> None:
    with pytest.raises(exceptions.ConfigurationError, match="typo"):
        Scheduler([], [Raw("w", [])], {"typo": 1.0})


@each("multiplier", [math.nan, math.inf, None])
def test_a_multiplier_is_a_finite_number(multiplier: float) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="of w "):
        Scheduler([], [Raw("w", [])], {"w": multiplier})
