from __future__ import annotations

from cells.brokerless.matchmaker.bindings import DirectBinding, FanoutBinding, TopicBinding, without_fanout
from tests.cases import each


@each(
    ("key", "is_direct_topic_fanout"),
    [
        *((key, (False, True, False)) for key in ("compute", "my-fanout~compute", "fanout", "")),
        *((key, (True, False, False)) for key in ("compute.host", "compute.host.domain")),
        *((key, (True, False, True)) for key in ("fanout.compute", "fanout~rpc~compute.host")),
        ("fanout~compute", (False, True, True)),
    ],
)
def test_kinds_of_keys(key: str, is_direct_topic_fanout: tuple[bool, bool, bool]) -> None:
    found = tuple(binding.test(key) for binding in (DirectBinding(), TopicBinding(), FanoutBinding()))
    assert found == is_direct_topic_fanout


@each(
    ("key", "rest"),
    [("fanout~a", "a"), ("fanout.a", "a"), ("a", "a"), ("a.fanout~b", "a.fanout~b"), ("fanout~fanout~a", "fanout~a")],
)
def test_fanout_prefix_is_removed(key: str, rest: str) -> None:
    assert without_fanout(key) == rest
