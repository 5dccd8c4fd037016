"""Patch ack_interval: idle listeners wake up four times a second."""

from __future__ import annotations

import pytest
from oslo_messaging._drivers import amqpdriver

from cells.transport.patches.ack_interval import WAKE_UP_SECONDS, AckInterval

MIN, MAX = "ACK_REQUEUE_EVERY_SECONDS_MIN", "ACK_REQUEUE_EVERY_SECONDS_MAX"


@pytest.fixture(autouse=True)
def _values_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (MIN, MAX):
        monkeypatch.setattr(amqpdriver, name, getattr(amqpdriver, name))


def test_it_sets_both_bounds_of_the_interval() -> None:
    assert AckInterval().apply()
    assert [getattr(amqpdriver, name) for name in (MIN, MAX)] == [WAKE_UP_SECONDS] * 2


def test_it_is_not_applicable_without_one_of_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqpdriver, MIN, 0.5)
    monkeypatch.delattr(amqpdriver, MAX)
    assert not AckInterval().apply()
    assert amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MIN == 0.5
