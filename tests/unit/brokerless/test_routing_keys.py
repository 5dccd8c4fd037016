"""Routing keys: a distinct text for each exchange, topic and server, with a recognizable kind."""

from __future__ import annotations

import itertools

from cells.brokerless import routing_keys
from cells.brokerless.matchmaker import DirectBinding, FanoutBinding, TopicBinding
from tests.cases import each

NAMES = ["a", "a.b", "a~b", "a/b", "%2E", "fanout", "notify", "Größe", "", "a b", "fanout~a", "A"]


def test_format_of_the_keys() -> None:
    assert routing_keys.topic_key("openstack", "cells.intercell") == "openstack~cells%2Eintercell"
    assert routing_keys.direct_key("openstack", "cells", "node-1.example") == "openstack~cells.node-1%2Eexample"
    assert routing_keys.fanout_key("openstack", "cells") == "fanout~openstack~cells"
    assert routing_keys.notification_key("openstack", "n.info") == "notify~openstack~n%2Einfo"


def test_keys_of_different_targets_differ() -> None:
    pairs = list(itertools.product(NAMES, NAMES))
    keys = [
        make(*pair)
        for make in (routing_keys.topic_key, routing_keys.fanout_key, routing_keys.notification_key)
        for pair in pairs
    ]
    keys += [routing_keys.direct_key(*pair, server) for pair in pairs for server in NAMES]
    assert len(set(keys)) == len(keys)


@each("exchange", NAMES)
@each("topic", ["a.b", "fanout~a", "notify", ""])
def test_kind_of_a_key_is_recognized(exchange: str, topic: str) -> None:
    of_all = routing_keys.fanout_key(exchange, topic)
    of_topic = routing_keys.topic_key(exchange, topic)
    of_one = routing_keys.direct_key(exchange, topic, "server.1")
    of_listeners = routing_keys.notification_key(exchange, topic)
    assert [routing_keys.is_fanout(key) for key in (of_all, of_topic, of_one, of_listeners)] == [True, *[False] * 3]
    assert [key.startswith(routing_keys.NOTIFICATION_PREFIX) for key in (of_all, of_topic, of_one, of_listeners)] == [
        *[False] * 3,
        True,
    ]
    assert routing_keys.without_fanout(of_all) == routing_keys.without_fanout(of_topic) == of_topic


@each("exchange", NAMES)
@each("topic", ["a.b", "fanout~a", "notify", ""])
def test_matchmaker_recognizes_the_same_kinds(exchange: str, topic: str) -> None:
    def kinds(key: str) -> list[type]:
        return [kind for kind in (FanoutBinding, DirectBinding, TopicBinding) if kind().test(key)]

    assert FanoutBinding in kinds(routing_keys.fanout_key(exchange, topic))
    assert kinds(routing_keys.topic_key(exchange, topic)) == [TopicBinding]
    assert kinds(routing_keys.notification_key(exchange, topic)) == [TopicBinding]
    assert kinds(routing_keys.direct_key(exchange, topic, "server")) == [DirectBinding]
