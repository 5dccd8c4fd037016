"""The listeners of the daemon sleep between messages and take little ahead, as far as oslo.messaging can do that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from oslo_config import cfg
from oslo_messaging._drivers import amqpdriver, impl_rabbit

from cells.transport.patches import listener_settings


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACK_REQUEUE_EVERY_SECONDS_MIN", "ACK_REQUEUE_EVERY_SECONDS_MAX"):
        monkeypatch.setattr(amqpdriver, name, getattr(amqpdriver, name))


def test_installed_library_can_be_told_to_sleep() -> None:
    assert listener_settings.sleep_between_messages()
    assert amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MIN == listener_settings.WAKE_UP_SECONDS
    assert amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MAX == listener_settings.WAKE_UP_SECONDS


def test_another_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(amqpdriver, "ACK_REQUEUE_EVERY_SECONDS_MAX")
    before = amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MIN
    assert not listener_settings.sleep_between_messages()
    assert before == amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MIN


@pytest.fixture
def _prefetch_as_before() -> Iterator[None]:
    option = next(option for option in impl_rabbit.rabbit_opts if option.name == "rabbit_qos_prefetch_count")
    before = option.default
    yield
    cfg.set_defaults(impl_rabbit.rabbit_opts, rabbit_qos_prefetch_count=before)


@pytest.mark.usefixtures("_prefetch_as_before")
def test_a_few_messages_are_taken_ahead_unless_the_configuration_says_how_many() -> None:
    assert listener_settings.take_a_few_ahead()
    conf = cfg.ConfigOpts()
    conf.register_opts(impl_rabbit.rabbit_opts, group="oslo_messaging_rabbit")
    conf([])
    assert conf.oslo_messaging_rabbit.rabbit_qos_prefetch_count == listener_settings.TAKEN_AHEAD
    conf.set_override("rabbit_qos_prefetch_count", 7, group="oslo_messaging_rabbit")
    assert conf.oslo_messaging_rabbit.rabbit_qos_prefetch_count == 7


def test_another_driver_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impl_rabbit, "rabbit_opts", [])
    assert not listener_settings.take_a_few_ahead()
