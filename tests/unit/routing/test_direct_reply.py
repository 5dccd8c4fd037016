"""The client gets the value, and its manager a notice; or the manager gets the whole answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cells import exceptions, versions
from cells.counters import Counters
from cells.messages import EncodedResponse, Hop, Message, Response, for_client
from cells.routing.direct_reply import NOTICE_DELAY_SECONDS, DirectReplies
from cells.routing.reply import LOG_ONLY, Kind, Reply, Sink
from tests.unit.messages.test_direct_values import CLIENT, NEIGHBORS, VALUE, leaving, request


class Links:
    """Links that keep direct replies."""

    def __init__(self) -> None:
        self.reaches = True
        self.sent: list[tuple[str, str, str]] = []

    def reaches_clients(self, _: object) -> bool:
        return self.reaches

    def reply_to_client(
        self,
        cell: Any,
        reply_to: str,
        value: str,
        on_failure: Callable[[exceptions.CellsError], object],
        on_sent: Callable[[], object],
    ) -> None:
        self.sent.append((cell.name, reply_to, value))
        self.on_failure, self.on_sent = on_failure, on_sent


class Place:
    """Direct replies, and the hops to the manager."""

    def __init__(self) -> None:
        self.links = Links()
        self.counters = Counters()
        self.hops: list[tuple[Message, Hop]] = []
        self.held_seconds: list[float] = []
        self._replies = DirectReplies(self.forward, self.links, self.counters)  # type: ignore[arg-type]  # as they are used

    def forward(self, message: Message, hop: Hop, sink: Sink, *, hold_seconds: float = 0.0) -> None:
        """As a router."""
        assert sink is LOG_ONLY
        self.hops.append((message, hop))
        self.held_seconds.append(hold_seconds)

    def send(self, message: Message, version: str = versions.CURRENT) -> bool:
        (hop,) = message.plan(NEIGHBORS, lambda _: version).hops
        answer = for_client(message, hop)
        return answer is not None and self._replies.send(answer, hop)

    @property
    def told(self) -> Reply:
        """The reply that the manager gets."""
        ((message, hop),) = self.hops
        assert hop.neighbor.name == "api"
        return Reply.from_wire(message.content().kwargs["responses"])


@pytest.fixture
def place() -> Place:
    return Place()


def test_the_client_is_sent_the_value_and_its_manager_a_notice(place: Place) -> None:
    assert place.send(leaving(request(), VALUE))
    assert place.links.sent == [("api", CLIENT, "1")]
    assert place.hops == []
    place.links.on_sent()
    # No caller waits for the notice, so it may wait for others.
    assert place.held_seconds == [NOTICE_DELAY_SECONDS]
    assert place.told.kind is Kind.DELIVERED
    # A manager that has named no client takes it for an error.
    assert isinstance(place.told.read_one(()).error, exceptions.MalformedMessage)
    assert place.counters.as_dict() == {"shortcut": 1}


def test_the_manager_gets_the_answer_if_the_client_was_not_reached(place: Place) -> None:
    assert place.send(leaving(request(), VALUE))
    place.links.on_failure(exceptions.ClientGone("gone"))
    assert place.told.to_wire() == [VALUE.text]
    assert place.held_seconds == [0.0]
    # Nor is it tried once more.
    message, hop = place.hops[0]
    assert for_client(message, hop) is None
    assert place.counters.as_dict() == {}


@pytest.mark.parametrize("version", list(versions.HISTORY))
def test_the_key_of_release_0_2_is_honored_at_every_version_that_it_was_sent_at(place: Place, version: str) -> None:
    assert place.send(leaving(request(), VALUE), version) is versions.speaks(version, "1.1")


def test_there_is_none_for_anything_else(place: Place) -> None:
    error = Response("api!east", error=ValueError("no")).encoded()
    assert not place.send(leaving(request(), error))
    assert not place.send(leaving(request(), EncodedResponse("no JSON")))
    # A source that asks in the oldest form may have gone back to a release that reads no other form.
    assert not place.send(leaving(request(reply_server=""), VALUE))
    place.links.reaches = False
    assert not place.send(leaving(request(), VALUE))
    assert (place.links.sent, place.hops) == ([], [])
