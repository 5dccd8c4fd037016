from __future__ import annotations

from cells.brokerless.matchmaker.stub import MatchMakerStub
from tests.cases import each


@each("key", ["topic", "topic.host", "fanout~topic", "fanout.topic"])
def test_keys_are_returned_unchanged(key: str) -> None:
    assert MatchMakerStub().queues(key) == [(key, None)]
