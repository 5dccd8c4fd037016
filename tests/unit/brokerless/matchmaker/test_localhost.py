from __future__ import annotations

from cells.brokerless.matchmaker.localhost import MatchMakerLocalhost
from tests.cases import each


@each(
    ("key", "found"),
    [
        ("topic", ("topic.localhost", "localhost")),
        ("topic.east", ("topic.east", "east")),
        ("fanout~topic", ("fanout~topic.localhost", "localhost")),
    ],
)
def test_every_topic_is_served_by_this_host(key: str, found: tuple[str, str]) -> None:
    assert MatchMakerLocalhost().queues(key) == [found]


def test_name_of_this_host_can_be_set() -> None:
    assert MatchMakerLocalhost(host="127.0.0.1").queues("topic") == [("topic.127.0.0.1", "127.0.0.1")]
