"""The topics that the key of a neighbor reaches."""

from __future__ import annotations

import pytest

from cells.brokerless import routing_keys
from cells.brokerless.neighbor_topics import INTERVAL_SECONDS, NeighborTopics
from tests.cases import each
from tests.clock import Clock

TARGETED = "cells.intercell.targeted"


@each(
    ("topic", "is_included"),
    [
        (TARGETED, True),
        ("cells.intercell.a~b", True),
        ("cells", False),
        ("cells.intercell", False),
        ("inventory", False),
        ("x.cells.intercell.targeted", False),
    ],
)
def test_keys_of_every_kind_have_the_topic(topic: str, is_included: bool) -> None:
    topics = NeighborTopics(["cells.intercell.*"])
    for key in (
        routing_keys.topic_key("openstack", topic),
        routing_keys.direct_key("open.stack", topic, "host.example"),
        routing_keys.fanout_key("fanout", topic),
        routing_keys.notification_key("", topic),
    ):
        assert routing_keys.topic_of(key) == topic
        assert topics.include(key) is is_included


def test_refusals_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    topics = NeighborTopics(["a*"], clock)
    for seconds in (0, 1, INTERVAL_SECONDS):
        clock.advance(seconds)
        topics.include(routing_keys.topic_key("x", "b"))
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
