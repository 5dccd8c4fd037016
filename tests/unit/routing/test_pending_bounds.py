"""The number of cells that a neighbor may name, and the length of their paths, are bounded."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from cells.routing import waiting_call
from tests.unit.routing.test_pending_growing import Broadcast, answers

#: Bound of the memory for one message, far below the memory that a message could cause without bounds.
PEAK_BYTES = 20_000_000


@pytest.fixture(params=[False, True], ids=["gathered", "streamed"])
def one(request: pytest.FixtureRequest) -> Iterator[Broadcast]:
    one = Broadcast("east", streams=bool(request.param))
    yield one
    one.table.stop()


def test_a_neighbor_cannot_name_any_number_of_cells(one: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_call, "MAX_PARTS", 10)
    for number in range(5):
        assert one.add(f"east!liar{number}", *(str(made_up) for made_up in range(1000)))
        assert one.announce("east", *(f"{number}/{made_up}" for made_up in range(1000)))
    for number in range(5, 10):
        assert one.add(f"east!liar{number}")
    # Ten cells have answered by now: no further answer is taken.
    assert not one.add("east!eleventh")
    one.pass_deadline()
    assert len(one.completed) == 1
    given = answers(one)
    assert len(given) <= 20
    assert {f"east!liar{number}" for number in range(10)} | {"no east"} <= set(given)


def test_names_below_a_long_path_need_little_memory(one: Broadcast) -> None:
    """Few bytes could become many large texts: each name is short, but the path to the cell that names it is long."""
    far = "!".join(["east", *("x" * 255 for _ in range(400))])
    names = [str(number) for number in range(10_000)]
    tracemalloc.start()
    try:
        one.announce(far, *names)
        one.add(far, *names)
        # Below a path of the greatest length no path is short enough.
        one.announce(far[: waiting_call.MAX_PART_LENGTH], *names)
        assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES
    finally:
        tracemalloc.stop()
    assert one.add("east")
    assert len(one.completed) == 1
    assert answers(one) == ["east"]


def test_a_path_is_accepted_up_to_its_greatest_length(one: Broadcast) -> None:
    longest = "east!" + "x" * (waiting_call.MAX_PART_LENGTH - 5)
    assert one.add(longest)
    assert not one.add(longest + "x")
    assert one.announce("east", longest[5:], longest[5:] + "x")
    assert one.add("east")
    assert len(one.completed) == 1
    assert answers(one) == [longest, "east"]


@pytest.mark.parametrize("streams", [False, True])
def test_cells_that_one_branch_claims_displace_no_cells_of_another(
    streams: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(case G2)."""
    monkeypatch.setattr(waiting_call, "MAX_PARTS", 10)
    one = Broadcast("liar", "east", streams=streams)
    one.add("liar", *(f"claimed{number}" for number in range(1000)))
    for number in range(1000):
        one.add(f"liar!{number}", "more")
    assert not one.add("north!made-up")
    assert one.add("east", "az1")
    assert one.add("east!az1")
    one.pass_deadline()
    assert {"east", "east!az1"} <= set(answers(one))


def test_answers_of_one_branch_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """(case G2)."""
    monkeypatch.setattr(waiting_call, "MAX_BRANCH_BYTES", 20)
    one = Broadcast("liar", "east")
    assert one.add("liar!12345678")
    assert not one.add("liar!12345679")
    assert one.add("east!12345678")
