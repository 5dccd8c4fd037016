"""The ledger of losses: counts per cell, kind and reason, their summaries in the log, and their file (case C1)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cells import exceptions
from cells.links.losses import KILLED, SUMMARY_SECONDS, Key, Losses, Tally
from tests.clock import Clock
from tests.unit.links.harness import A, Harness, wait_for

UNREACHABLE = Key("east", "cast", "NeighborUnreachable")
Open = Callable[[], Losses]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "losses"


@pytest.fixture
def reopen(clock: Clock, path: Path) -> Iterator[Open]:
    """Return the ledger of the next manager; the one before it was killed."""
    opened: list[Losses] = []

    def open_again() -> Losses:
        # A killed process leaves the pages of the file and no lock; here both processes are one.
        content = path.read_bytes() if path.exists() else b""
        path.unlink(missing_ok=True)
        if content:
            path.write_bytes(content)
        opened.append(Losses(clock, clock))
        opened[-1].open(path)
        return opened[-1]

    yield open_again
    for losses in opened:
        losses.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    caplog.clear()
    return found


def numbers(losses: Losses, cell: str = "east") -> dict[str, Any]:
    return {name: count for name, count in losses.of(cell).items() if name != "losses"}


def test_losses_are_counted_by_cell_kind_and_reason(clock: Clock) -> None:
    losses = Losses(clock)
    losses.give_up(UNREACHABLE, Tally(lost=2))
    losses.give_up(UNREACHABLE, Tally(may_have_arrived=1))
    losses.give_up(Key("east", "call", "NeighborBusy"), Tally(told=4))
    losses.give_up(Key("west", "cast", "NeighborBusy"), Tally(lost=8))
    assert numbers(losses) == {"lost": 2, "may_have_arrived": 1, "told": 4, "in_flight": 0}
    assert losses.of("east")["losses"] == [
        {"kind": "call", "reason": "NeighborBusy", "lost": 0, "may_have_arrived": 0, "told": 4},
        {"kind": "cast", "reason": "NeighborUnreachable", "lost": 2, "may_have_arrived": 1, "told": 0},
    ]
    assert losses.as_dict()["west.cast.NeighborBusy.lost"] == 8


def test_messages_of_cells_about_each_other_are_not_counted(clock: Clock) -> None:
    losses = Losses(clock)
    losses.accept("east", ["", ""])
    losses.give_up(Key("east", "", "NeighborUnreachable"), Tally(lost=1))
    assert losses.as_dict() == {}


def test_losses_are_summed_up_once_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses(clock)
    for _ in range(3):
        losses.give_up(UNREACHABLE, Tally(lost=7))
        losses.report_due()
        clock.advance(SUMMARY_SECONDS / 3)
    losses.report_due()
    (line,) = warnings(caplog)
    assert "21 lost" in line
    assert "east" in line
    losses.report_due()
    assert warnings(caplog) == []


def test_the_end_of_an_absence_sums_up_its_losses(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses(clock)
    losses.give_up(UNREACHABLE, Tally(lost=100))
    clock.advance(SUMMARY_SECONDS)
    losses.report_due()
    losses.went_away("east")
    for _ in range(3):
        losses.went_away("east")
        losses.give_up(UNREACHABLE, Tally(lost=5, may_have_arrived=1))
        clock.advance(SUMMARY_SECONDS)
        losses.report_due()
    caplog.clear()
    losses.came_back("east")
    (line,) = warnings(caplog)
    assert "15 lost" in line
    assert "3 may have arrived" in line
    losses.came_back("east")
    losses.report_due()
    assert warnings(caplog) == []


def test_losses_shortly_before_an_absence_are_summed_up_too(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses(clock)
    losses.give_up(Key("east", "cast", "MessageRefused"), Tally(lost=4))
    clock.advance(1)
    losses.went_away("east")
    clock.advance(1)
    losses.came_back("east")
    assert warnings(caplog) == []
    clock.advance(SUMMARY_SECONDS)
    losses.report_due()
    (line,) = warnings(caplog)
    assert "MessageRefused: 4 lost" in line


def test_messages_whose_senders_were_told_are_no_warning(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses(clock)
    losses.went_away("east")
    losses.give_up(Key("east", "call", "NeighborUnreachable"), Tally(told=5))
    losses.came_back("east")
    assert warnings(caplog) == []


def test_counts_survive_a_kill(reopen: Open, caplog: pytest.LogCaptureFixture) -> None:
    losses = reopen()
    losses.give_up(UNREACHABLE, Tally(lost=3, may_have_arrived=2, told=1))
    losses.accept("east", ["cast", "cast", "", "service_cast", "cast"])
    losses.pass_on("east", ["cast"])
    caplog.clear()
    after = reopen()
    (line,) = warnings(caplog)
    assert "2 cast (east)" in line
    assert "1 service_cast (east)" in line
    assert numbers(after) == {"lost": 3, "may_have_arrived": 5, "told": 1, "in_flight": 0}
    assert after.as_dict()[f"east.cast.{KILLED}.may_have_arrived"] == 2
    # Told once.
    caplog.clear()
    assert numbers(reopen()) == numbers(after)
    assert warnings(caplog) == []


def test_a_file_that_cannot_be_used_costs_only_persistence(
    clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    losses = Losses(clock)
    losses.open(tmp_path / "missing" / "losses")
    (line,) = warnings(caplog)
    assert "state_path" in line
    losses.give_up(UNREACHABLE, Tally(lost=1))
    losses.close()
    assert numbers(losses)["lost"] == 1


def test_a_corrupt_file_starts_the_counts_again(reopen: Open, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(b"no counts")
    assert reopen().as_dict() == {}
    assert len(warnings(caplog)) == 1


def test_what_is_not_logged_yet_is_logged_at_the_end(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses(clock)
    losses.give_up(UNREACHABLE, Tally(lost=1))
    losses.close()
    losses.close()
    assert len(warnings(caplog)) == 1


@pytest.fixture
def harness() -> Iterator[Harness]:
    found = Harness()
    yield found
    found.driver.resume_all()
    found.links.stop(5)


def in_flight(harness: Harness) -> int:
    return int(harness.links.losses.of("a")["in_flight"])


def test_a_queued_message_is_in_flight_until_its_broker_has_it(harness: Harness) -> None:
    harness.hang_sending(A, "1")
    harness.send(A, "2", "3")
    assert in_flight(harness) == 3
    harness.driver.resume("a")
    wait_for(lambda: in_flight(harness) == 0, "all are sent")


def test_a_message_that_is_given_up_is_no_longer_in_flight(harness: Harness) -> None:
    harness.driver.failures["a"] = exceptions.NeighborUnreachable("The broker is down.", cell="a")
    harness.send(A, "1")
    wait_for(lambda: harness.told and in_flight(harness) == 0, "it is given up")
    assert harness.links.losses.is_away("a")


def test_messages_that_are_left_at_the_stop_are_given_up(harness: Harness) -> None:
    harness.hang_sending(A, "1")
    harness.send(A, "2")
    harness.links.stop(0.01)
    assert {text: bool(error.may_arrive) for text, error in harness.failures.items()} == {"1": True, "2": False}  # type: ignore[attr-defined]
    assert in_flight(harness) == 0


def test_delivered_messages_are_counted_for_this_process(clock: Clock) -> None:
    losses = Losses(clock)
    losses.accept("east", ["cast", "cast", ""])
    losses.deliver("east", ["cast", ""])
    (tally,) = losses.tallies().values()
    assert (tally.delivered, tally.in_flight) == (1, 1)
    assert losses.as_dict() == {"east.cast.in_flight": 1}
