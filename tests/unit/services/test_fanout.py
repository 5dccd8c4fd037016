"""Fan-out: one copy for the servers of a topic, one for the consumers of fan-outs alone."""

from __future__ import annotations

from typing import Any

import oslo_messaging
import pytest

from cells.services import fanout


class Transport:
    def __init__(self) -> None:
        self.sent: list[tuple[oslo_messaging.Target, dict[str, Any], dict[str, Any], int | None]] = []

    def _send(self, target: Any, ctxt: dict[str, Any], message: dict[str, Any], retry: int | None) -> None:
        self.sent.append((target, ctxt, message, retry))


@pytest.mark.parametrize(
    "target",
    [
        oslo_messaging.Target(topic="inventory", exchange="warehouse"),
        oslo_messaging.Target(topic="inventory", exchange="warehouse", server="host-1", fanout=False),
    ],
)
def test_both_topics_get_a_copy_and_that_for_servers_is_marked(target: Any) -> None:
    transport, message = Transport(), {"method": "count", "args": {"kind": "disk"}, "version": "1.2"}
    fanout.cast_to_all(transport, target, {"user_id": "ada"}, message, retry=3)
    (to_servers, _, marked, _), (to_consumers, _, plain, _) = transport.sent
    assert (to_servers.topic, to_consumers.topic) == ("inventory", fanout.consumers_topic("inventory"))
    assert plain == message
    assert marked == {**message, fanout.MARK: True}
    for sent_to, ctxt, _, retry in transport.sent:
        assert (sent_to.exchange, sent_to.server, sent_to.fanout) == ("warehouse", None, True)
        assert (ctxt, retry) == ({"user_id": "ada"}, 3)
    assert fanout.MARK not in message


def test_the_topic_of_consumers_is_below_that_of_the_service() -> None:
    """So the allow-list protects the consumers' topic of the manager like the manager's topic."""
    assert fanout.consumers_topic("cells").startswith("cells.")
