"""The client gets its answer, and the manager what is left for it to know."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cells import exceptions
from cells.counters import Counters
from cells.messages import ANSWERED, Hop, Message, Response, ResponseMessage
from cells.routing.direct_reply import Shortcut
from tests.unit.messages.test_client_reply import CLIENT, NEIGHBORS, leaving, request
from tests.unit.messages.trees import row


class Links:
    """Keeps what it is given, and says what the test says."""

    def __init__(self) -> None:
        self.reaches = True
        self.sent: list[Any] = []

    def reaches_clients(self, _: object) -> bool:
        return self.reaches

    def send(
        self,
        cell: Any,
        message: Any,
        on_failure: Callable[[exceptions.CellsError], object],
        on_sent: Callable[[], object],
    ) -> None:
        self.sent.append((cell.name, message))
        self.on_failure, self.on_sent = on_failure, on_sent


class Way:
    """The shortcut, and the hops that are made as usual."""

    def __init__(self) -> None:
        self.links = Links()
        self.counters = Counters()
        self.hops: list[Hop] = []
        self.receipts: list[Callable[[], object]] = []
        self._shortcut = Shortcut(self.links, self, self.counters)  # type: ignore[arg-type]  # as far as they are used

    def add(self, tell: Callable[[], object]) -> None:
        """As Receipts, whenever the test wants."""
        self.receipts.append(tell)

    def take(self, message: Message, version: str = "1.3") -> bool:
        hop = Hop(row("api", is_parent=True), message, "api", version)
        return self._shortcut.take(hop, self.hops.append)


@pytest.fixture
def way() -> Way:
    return Way()


VALUE = Response("api!east", {"disk": 1}).to_json()


def test_the_client_is_sent_the_value_and_its_manager_that_it_was(way: Way) -> None:
    assert way.take(leaving(request(), VALUE))
    ((cell, reply),) = way.links.sent
    assert (cell, reply.reply_to, json.loads(reply.to_json())) == ("api", CLIENT, {"disk": 1})
    assert way.hops == []
    way.links.on_sent()
    # That can wait: nobody waits for it.
    assert way.hops == []
    (tell,) = way.receipts
    tell()
    (hop,) = way.hops
    assert json.loads(hop.message.payload_text)["method_kwargs"]["responses"] == [ANSWERED]
    assert hop.neighbor.name == "api"
    assert way.counters.as_dict() == {"shortcut": 1}


def test_the_manager_gets_the_answer_if_the_client_was_not_reached(way: Way) -> None:
    assert way.take(leaving(request(), VALUE))
    way.links.on_failure(exceptions.ClientGone("gone"))
    (hop,) = way.hops
    assert json.loads(hop.message.payload_text)["method_kwargs"]["responses"] == [VALUE]
    # Nor is it tried once more.
    assert not way.take(hop.message)
    assert way.counters.as_dict() == {}


def test_there_is_none_for_anything_else(way: Way) -> None:
    assert not way.take(leaving(request(reply_to=""), VALUE))
    assert not way.take(request())
    assert not way.take(leaving(request(), Response("api!east", error=ValueError("no")).to_json()))
    assert not way.take(leaving(request(), VALUE), version="1.0")
    # Who asks in the oldest form may have gone back to a release that reads no other.
    assert not way.take(leaving(request(reply_server=""), VALUE))
    way.links.reaches = False
    assert not way.take(leaving(request(), VALUE))
    assert (way.links.sent, way.hops) == ([], [])


def test_an_answer_that_only_passes_goes_on(way: Way) -> None:
    response = ResponseMessage.answering(request("api!west!az1"), [VALUE])
    (hop,) = response.plan(NEIGHBORS.of([row("west", is_parent=True)]), lambda _: "1.3").hops
    assert not way.take(hop.message)
