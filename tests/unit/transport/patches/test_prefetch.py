"""Patch prefetch: RabbitMQ delivers few messages in advance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from oslo_config import cfg
from oslo_messaging._drivers import impl_rabbit

from cells.transport.patches.prefetch import PREFETCH_COUNT, Prefetch

NAME = "rabbit_qos_prefetch_count"


@pytest.fixture(autouse=True)
def _default_of_the_library() -> Iterator[None]:
    option = next(option for option in impl_rabbit.rabbit_opts if option.name == NAME)
    before = option.default
    yield
    cfg.set_defaults(impl_rabbit.rabbit_opts, **{NAME: before})


def test_the_default_is_small_and_the_configuration_can_change_it() -> None:
    assert Prefetch().apply()
    conf = cfg.ConfigOpts()
    conf.register_opts(impl_rabbit.rabbit_opts, group="oslo_messaging_rabbit")
    conf([])
    assert conf.oslo_messaging_rabbit.rabbit_qos_prefetch_count == PREFETCH_COUNT
    conf.set_override(NAME, 7, group="oslo_messaging_rabbit")
    assert conf.oslo_messaging_rabbit.rabbit_qos_prefetch_count == 7


def test_it_is_not_applicable_without_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impl_rabbit, "rabbit_opts", [])
    assert not Prefetch().apply()
