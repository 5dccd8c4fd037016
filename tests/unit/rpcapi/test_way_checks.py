"""Checks before casts: which casts are checked, and what happens if no manager can check them (case C1)."""

from __future__ import annotations

import oslo_messaging
import pytest
from oslo_messaging.rpc import dispatcher as rpc_dispatcher

from cells import exceptions
from cells.rpcapi.way_checks import KNOWN_SECONDS, MAX_TARGETS, UNCHECKED_SECONDS, WayChecks
from tests.clock import Clock


class Manager:
    """Stands for the manager: ``answer`` is the list of links that are down, or its error."""

    def __init__(self) -> None:
        self.answer: list[str] | Exception = []
        self.asked = 0

    def ask(self, seconds: float) -> list[str]:
        assert seconds > 0
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def checks(clock: Clock) -> WayChecks:
    return WayChecks(is_enabled=True, clock=clock)


def asked(checks: WayChecks, manager: Manager, target: str = "east") -> bool:
    before = manager.asked
    checks.links_down(target, manager.ask)
    return manager.asked > before


def test_each_target_is_checked_once_in_two_seconds(checks: WayChecks, manager: Manager, clock: Clock) -> None:
    assert [asked(checks, manager, target) for target in ("east", "east", "west", "east")] == [True, False, True, False]
    clock.now += KNOWN_SECONDS
    assert asked(checks, manager)


def test_every_cast_is_checked_while_the_link_is_down(checks: WayChecks, manager: Manager) -> None:
    manager.answer = ["east"]
    assert [checks.links_down("east", manager.ask) for _ in range(3)] == [["east"]] * 3
    assert manager.asked == 3
    manager.answer = []
    assert asked(checks, manager)
    assert not asked(checks, manager), "the link is up again"


def test_an_error_is_raised_for_every_cast(checks: WayChecks, manager: Manager) -> None:
    manager.answer = exceptions.CellNotFound("No such cell.")
    for _ in range(2):
        with pytest.raises(exceptions.CellNotFound):
            checks.links_down("east", manager.ask)


def test_a_cast_that_cannot_be_checked_waits_for_its_broker_itself(checks: WayChecks, manager: Manager) -> None:
    manager.answer = oslo_messaging.MessageDeliveryFailure("blocked")
    assert checks.links_down("east", manager.ask) == []
    assert asked(checks, manager), "the next cast is checked again"


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ManagerTimeout("silent"),
        exceptions.RemoteError("old", exc_type="UnsupportedVersion", value="1.3"),
        rpc_dispatcher.NoSuchMethod("links_down"),
    ],
    ids=["silent", "version", "method"],
)
def test_casts_to_a_manager_that_cannot_check_are_sent_unchecked(
    checks: WayChecks, manager: Manager, clock: Clock, error: Exception
) -> None:
    manager.answer = error
    assert checks.links_down("east", manager.ask) == []
    assert not asked(checks, manager, "west")
    clock.now += UNCHECKED_SECONDS
    assert asked(checks, manager, "west")


def test_a_cap_below_the_version_of_checks_disables_them(manager: Manager) -> None:
    assert not asked(WayChecks(is_enabled=False), manager)


def test_the_memory_of_targets_is_bounded(checks: WayChecks, manager: Manager) -> None:
    for number in range(MAX_TARGETS + 1):
        checks.links_down(str(number), manager.ask)
    assert not asked(checks, manager, str(MAX_TARGETS))
    assert asked(checks, manager, "0"), "the oldest target is forgotten"
