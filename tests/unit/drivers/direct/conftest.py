"""Two managers and a clock."""

from __future__ import annotations

import pytest

from tests.clock import Clock
from tests.unit.drivers.direct.joined import Joined, Manager, hello


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alice(clock: Clock) -> Manager:
    return Manager(hello("a"), clock)


@pytest.fixture
def bob(clock: Clock) -> Manager:
    return Manager(hello("b"), clock)


@pytest.fixture
def link(alice: Manager, bob: Manager) -> Joined:
    """An open connection, dialed by alice."""
    link = Joined(alice, bob)
    link.run()
    assert link.is_open
    return link
