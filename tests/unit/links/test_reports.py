"""Each message has one report: that it is sent, or why it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cells import exceptions
from tests.clock import Clock
from tests.unit.links.conftest import Make
from tests.unit.links.harness import ALONE, A, wait_for

UNREACHABLE = exceptions.NeighborUnreachable("The broker is down.", cell="a")
MANAGER_GONE = exceptions.ManagerGone("The manager a-1 of cell a is gone.", cell="a")
CLIENT_GONE = exceptions.ClientGone("The client a-1 of cell a is gone.", cell="a")


def raise_bug(*_: object) -> None:
    raise ValueError("a bug")


def test_a_message_is_reported_as_sent_when_the_broker_has_it(make: Make) -> None:
    harness = make()
    harness.hang_sending(A, "1")
    assert harness.told == []
    harness.driver.resume("a")
    harness.wait_until_told("1 sent")


def test_a_failure_is_reported_once(make: Make) -> None:
    harness = make()
    harness.driver.failures["a"] = UNREACHABLE
    harness.send(A, "1")
    harness.wait_until_told("1 NeighborUnreachable")
    del harness.driver.failures["a"]
    harness.send(A, "2")
    harness.wait_until_told("1 NeighborUnreachable", "2 sent")


def test_a_message_that_is_given_up_and_sent_later_is_reported_once(make: Make) -> None:
    clock = Clock()
    harness = make(clock=clock, send_timeout_seconds=0.05)
    harness.hang_sending(A, "1")
    clock.advance(1)
    harness.wait_until_told("1 NeighborUnreachable")
    harness.driver.resume("a")
    harness.wait_until(A, "sent 1")
    # The link refuses messages while its thread hangs: when it accepts one, the first send is finished.
    wait_for(lambda: harness.send(A, "2") or "2 sent" in harness.told, "the link takes messages again")
    assert [line for line in harness.told if line.startswith("1 ")] == ["1 NeighborUnreachable"]


@pytest.mark.parametrize("error", [None, UNREACHABLE], ids=["sent", "failed"])
def test_a_bug_of_a_callback_does_not_end_the_thread(
    make: Make, caplog: pytest.LogCaptureFixture, error: Exception | None
) -> None:
    harness = make()
    if error is not None:
        harness.driver.failures["a"] = error
    harness.links.send(A, [(ALONE, raise_bug, raise_bug)])
    harness.send(A, "2")
    wait_for(lambda: harness.told, "the next message is reported")
    assert "ValueError: a bug" in caplog.text


@pytest.mark.parametrize("gone", [MANAGER_GONE, CLIENT_GONE], ids=["manager", "client"])
def test_a_manager_or_client_that_is_gone_does_not_affect_the_state_of_its_cell(
    make: Make, caplog: pytest.LogCaptureFixture, gone: exceptions.CellsError
) -> None:
    caplog.set_level("INFO")
    harness = make()
    harness.driver.failures["a"] = gone
    harness.send(A, "1")
    wait_for(lambda: harness.failures.get("1") is gone, "it has failed")
    assert harness.deliveries == []
    assert harness.counters.as_dict() == {f"undelivered.{type(gone).__name__}": 1}
    assert [record.levelname for record in caplog.records if "a-1" in record.getMessage()] == ["INFO"]
    del harness.driver.failures["a"]
    harness.send(A, "2")
    wait_for(lambda: harness.deliveries == [("a", True)], "the next message is sent")
    assert "takes messages again" not in caplog.text


@pytest.mark.parametrize(("is_fanout", "is_back"), [(True, False), (False, True)])
def test_only_a_message_with_a_receiver_shows_that_a_cell_is_back(make: Make, is_fanout: bool, is_back: bool) -> None:
    harness = make()
    harness.driver.failures["a"] = UNREACHABLE
    harness.send(A, "1")
    harness.wait_until_told("1 NeighborUnreachable")
    del harness.driver.failures["a"]
    message = type(ALONE)("targeted", is_fanout, "2")
    harness.links.send(A, [(message, raise_bug, lambda: harness.told.append("2 sent"))])
    harness.wait_until_told("1 NeighborUnreachable", "2 sent")
    assert harness.deliveries == [("a", False), *([("a", True)] if is_back else [])]
    assert harness.counters.as_dict()["sent"] == 1


def test_idle_links_have_reported_all_messages_and_take_more(make: Make) -> None:
    harness = make()

    def send(text: str, on_sent: Callable[[], Any]) -> None:
        harness.links.send(A, [(ALONE, raise_bug, on_sent)])

    harness.driver.hang("a")
    send("1", lambda: harness.send(A, "2"))
    wait_for(lambda: harness.driver.of(A, "try"), "the first send hangs")
    harness.links.wait_until_idle(0.01)
    assert harness.told == []
    harness.driver.resume("a")
    # A message that a callback sends belongs to the wait.
    harness.links.wait_until_idle(10)
    assert harness.told == ["2 sent"]
    harness.send(A, "3")
    harness.links.wait_until_idle(10)
    assert harness.told == ["2 sent", "3 sent"]


def test_without_messages_links_are_idle_at_once(make: Make) -> None:
    make().links.wait_until_idle(10)
