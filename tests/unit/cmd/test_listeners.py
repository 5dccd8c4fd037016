"""The listeners of the daemon sleep between messages, as long as oslo.messaging has what that takes."""

from __future__ import annotations

import pytest
from oslo_messaging._drivers import amqpdriver

from cells.cmd import listeners


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACK_REQUEUE_EVERY_SECONDS_MIN", "ACK_REQUEUE_EVERY_SECONDS_MAX"):
        monkeypatch.setattr(amqpdriver, name, getattr(amqpdriver, name))


def test_installed_library_can_be_told_to_sleep() -> None:
    assert listeners.sleep_between_messages()
    assert amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MIN == listeners.WAKE_UP_SECONDS
    assert amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MAX == listeners.WAKE_UP_SECONDS


def test_another_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(amqpdriver, "ACK_REQUEUE_EVERY_SECONDS_MAX")
    before = amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MIN
    assert not listeners.sleep_between_messages()
    assert before == amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MIN
