from __future__ import annotations

from cells.brokerless.matchmaker.bindings import DirectBinding, FanoutBinding, TopicBinding, without_fanout
from tests.cases import each


@each(
    ("key", "direct", "topic", "fanout"),
    [
        ("compute", False, True, False),
        ("compute.host", True, False, False),
        ("compute.host.domain", True, False, False),
        ("fanout~compute", False, True, True),
        ("fanout.compute", True, False, True),
        ("fanout~rpc~compute.host", True, False, True),
        ("my-fanout~compute", False, True, False),
        ("fanout", False, True, False),
        ("", False, True, False),
    ],
)
def test_kinds_of_keys(key: str, direct: bool, topic: bool, fanout: bool) -> None:
    assert [binding.test(key) for binding in (DirectBinding(), TopicBinding(), FanoutBinding())] == [
        direct,
        topic,
        fanout,
    ]


@each(
    ("key", "rest"),
    [("fanout~a", "a"), ("fanout.a", "a"), ("a", "a"), ("a.fanout~b", "a.fanout~b"), ("fanout~fanout~a", "fanout~a")],
)
def test_fanout_prefix_is_removed(key: str, rest: str) -> None:
    assert without_fanout(key) == rest
