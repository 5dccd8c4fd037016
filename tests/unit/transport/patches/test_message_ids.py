"""Patch message_ids: a listener recognizes what RabbitMQ delivers again, with any prefetch count (case A7)."""

from __future__ import annotations

import pytest
from oslo_messaging._drivers import amqp
from oslo_messaging._drivers import common as rpc_common

from cells.transport.patches.message_ids import MAX_IDS, MessageIds


@pytest.fixture(autouse=True)
def _class_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp, "_MsgIdCache", amqp._MsgIdCache)


def receive(cache: amqp._MsgIdCache, name: str) -> bool:
    """Return whether a listener would run a message with this id."""
    try:
        cache.add(cache.check_duplicate_message({amqp.UNIQUE_ID: name}))
    except rpc_common.DuplicateMessageError:
        return False
    return True


def test_a_batch_of_fifty_that_comes_again_does_not_run_again() -> None:
    assert MessageIds().apply()
    cache = amqp._MsgIdCache()
    batch = [f"id{number}" for number in range(50)]
    assert [receive(cache, name) for name in batch * 3] == [True] * 50 + [False] * 100


def test_the_oldest_ids_are_forgotten_and_a_message_without_id_runs() -> None:
    assert MessageIds().apply()
    cache = amqp._MsgIdCache()
    for number in range(MAX_IDS + 1):
        assert receive(cache, f"id{number}")
    assert not receive(cache, "id1")
    assert receive(cache, "id0")
    assert cache.check_duplicate_message({}) is None
    cache.add(None)


def test_it_is_not_applicable_to_another_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp, "_MsgIdCache", dict)
    assert not MessageIds().apply()
