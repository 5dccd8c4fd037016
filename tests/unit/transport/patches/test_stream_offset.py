"""Patch stream_offset: a server reads a stream from its end."""

from __future__ import annotations

from typing import Any

import pytest
from oslo_messaging._drivers import impl_rabbit

from cells.transport.patches.stream_offset import StreamOffset
from cells.transport.patches.unread_messages import UnreadMessages


@pytest.fixture(autouse=True)
def _class_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("__init__", "reset_stream_offset"):
        monkeypatch.setattr(impl_rabbit.Consumer, name, getattr(impl_rabbit.Consumer, name))


def consumer() -> Any:
    return impl_rabbit.Consumer(
        "cells_fanout", "cells_fanout", "cells", "fanout", True, True, False, print, rabbit_stream_fanout=True
    )


def test_a_stream_is_read_from_its_end_at_the_start_and_when_it_was_deleted() -> None:
    assert StreamOffset().apply()
    reader = consumer()
    assert reader.next_stream_offset == "next"
    reader.next_stream_offset = 7
    reader.reset_stream_offset()
    assert reader.next_stream_offset == "next"


def test_other_patches_of_the_class_stay_applicable() -> None:
    assert StreamOffset().apply()
    assert UnreadMessages().is_applicable


def test_it_is_not_applicable_without_the_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impl_rabbit.Consumer, "reset_stream_offset", impl_rabbit.Consumer.cancel)
    assert not StreamOffset().apply()
    assert consumer().next_stream_offset == "last"
