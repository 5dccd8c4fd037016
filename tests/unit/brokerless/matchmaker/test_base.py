from __future__ import annotations

from cells.brokerless.matchmaker.base import MatchMakerBase, MatchMakerException
from cells.brokerless.matchmaker.bindings import DirectBinding, FanoutBinding, TopicBinding
from cells.brokerless.matchmaker.exchanges import DirectExchange, LocalhostExchange, StubExchange


def test_rules_are_used_in_order_up_to_the_last() -> None:
    maker = MatchMakerBase()
    maker.add_binding(TopicBinding(), StubExchange(), last=False)
    maker.add_binding(TopicBinding(), LocalhostExchange("one"))
    maker.add_binding(TopicBinding(), LocalhostExchange("two"))
    maker.add_binding(DirectBinding(), DirectExchange())
    assert maker.queues("topic") == [("topic", None), ("topic.one", "one")]
    assert maker.queues("topic.host") == [("topic.host", "host")]


def test_key_without_a_rule_has_no_hosts() -> None:
    maker = MatchMakerBase()
    assert maker.queues("topic") == []
    maker.add_binding(FanoutBinding(), StubExchange())
    assert maker.queues("topic") == []


def test_without_a_registry_every_host_counts_as_alive() -> None:
    maker = MatchMakerBase()
    maker.start_heartbeat()
    maker.register("topic", "host")
    maker.ack_alive("topic", "host")
    maker.send_heartbeats()
    maker.expire("topic", "host")
    maker.unregister("topic", "host")
    maker.stop_heartbeat()
    assert maker.is_alive("topic", "host")


def test_default_text_of_the_error_is_that_of_older_releases() -> None:
    assert str(MatchMakerException()) == "Match not found by MatchMaker."
