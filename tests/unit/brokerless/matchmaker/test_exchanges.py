from __future__ import annotations

from cells.brokerless.matchmaker.exchanges import DirectExchange, Exchange, LocalhostExchange, StubExchange
from tests.cases import each


@each(
    ("exchange", "key", "found"),
    [
        (DirectExchange(), "topic.host", ("topic.host", "host")),
        (DirectExchange(), "topic.host.domain", ("topic.host.domain", "host.domain")),
        (StubExchange(), "topic.host", ("topic.host", None)),
        (StubExchange(), "fanout~topic", ("fanout~topic", None)),
        (LocalhostExchange(), "topic", ("topic.localhost", "localhost")),
        (LocalhostExchange(), "topic.host", ("topic.localhost", "localhost")),
        (LocalhostExchange("east"), "fanout~topic", ("fanout~topic.east", "east")),
    ],
)
def test_queue_and_host_of_a_key(exchange: Exchange, key: str, found: tuple[str, str | None]) -> None:
    assert exchange.run(key) == [found]
