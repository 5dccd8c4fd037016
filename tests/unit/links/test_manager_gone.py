"""A message for one manager that is not there any more harms nothing but itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cells import exceptions
from tests.unit.links.test_links import A, Office, wait_for

GONE = exceptions.ManagerGone("The manager a-1 of cell a is gone.", cell="a")
CLIENT_GONE = exceptions.ClientGone("No client waits on a-1 of the broker of cell a.", cell="a")


@pytest.mark.parametrize("gone", [GONE, CLIENT_GONE], ids=["manager", "client"])
def test_a_manager_or_client_that_is_gone_says_nothing_about_its_cell(
    office: Callable[..., Office], caplog: pytest.LogCaptureFixture, gone: exceptions.CellsError
) -> None:
    caplog.set_level("INFO")
    one = office()
    one.driver.failures["a"] = gone
    one.send(A, "1")
    wait_for(lambda: "1" in one.failures, "it has failed")
    assert one.failures["1"] is gone
    assert one.deliveries == []
    assert one.counters.as_dict() == {f"undelivered.{type(gone).__name__}": 1}
    assert [record.levelname for record in caplog.records if "a-1" in record.getMessage()] == ["INFO"]
    del one.driver.failures["a"]
    one.send(A, "2")
    wait_for(lambda: one.deliveries == [("a", True)], "the next one gets away")
    assert "takes messages again" not in caplog.text


def test_what_waited_while_a_manager_was_found_to_be_gone_is_sent(office: Callable[..., Office]) -> None:
    one = office()
    one.driver.failures["a"] = GONE
    one.driver.hang("a")
    one.send(A, "1")
    one.wait_until(A, "try 1")
    for text in ("2", "3"):
        one.send(A, text)
    one.driver.fail_once("a")
    one.driver.go_on("a")
    one.wait_until(A, "try 1", "try 2", "try 3")
    one.wait_until(A, "sent 2", "sent 3")
    assert list(one.failures) == ["1"]


def test_a_cell_that_was_away_is_not_back_because_a_manager_is_gone(office: Callable[..., Office]) -> None:
    one = office()
    one.driver.failures["a"] = exceptions.NeighborUnreachable("away")
    one.send(A, "1")
    wait_for(lambda: "1" in one.failures, "it has failed")
    one.driver.failures["a"] = GONE
    one.send(A, "2")
    wait_for(lambda: "2" in one.failures, "it has failed as well")
    assert one.deliveries == [("a", False)]
    del one.driver.failures["a"]
    one.send(A, "3")
    wait_for(lambda: one.deliveries == [("a", False), ("a", True)], "it is back")
