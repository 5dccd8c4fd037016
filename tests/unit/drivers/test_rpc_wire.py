"""The casts of the driver ``rpc``: their method, version and receiver; and its dispatcher."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import oslo_messaging
import pytest

from cells import conf as cells_conf
from cells import messages, versions
from cells.drivers import rpc
from cells.drivers.base import DriverSettings
from cells.messages import TargetedMessage
from cells.neighbors import Direction
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from cells.transport import open_transport
from cells.transport.server import CastServer, get_server
from tests.text_message import TextMessage
from tools.polling import poll

URL = "fake://"
EAST = Neighbor("east", URL, is_parent=False)
ALONE = [version for version in versions.HISTORY if not versions.speaks(version, versions.BATCHES)]


class Recording(CastServer):
    """A server that records requests instead of dispatching them."""

    received: list[Any]

    def _process_incoming(self, incoming: Any) -> None:
        incoming[0].acknowledge()
        self.received.append(incoming[0].message)


class Place:
    """A driver that sends, and the managers of the neighbor, which record their requests."""

    def __init__(self) -> None:
        # Of all transports fake:// keeps what nobody has read; no other test has these queues.
        settings = DriverSettings(
            cells_conf.load([]), "host", URL, messages.MESSAGE_TYPES, queue_base=f"base-{uuid.uuid4().hex}"
        )
        self.api = rpc.InterCellRPCAPI(settings)
        self._base = settings.queue_base
        self._transport = open_transport(settings.conf, URL)
        self._servers: list[Any] = []

    def manager(self, name: str, message_type: str = "targeted", exchange: str | None = None) -> list[Any]:
        """Start a manager; return the list of its requests."""
        target = oslo_messaging.Target(topic=f"{self._base}.{message_type}", server=name, exchange=exchange)
        server = get_server(self._transport, target, [], Recording)
        server.received = []
        self._servers.append(server)
        server.start()
        return server.received  # type: ignore[no-any-return]

    def close(self) -> None:
        self.api.close()
        for server in self._servers:
            server.stop()
        for server in self._servers:
            server.wait()
        self._transport.cleanup()


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    place.close()


def request(version: str) -> Any:
    """A message, sealed in the form of a version."""
    way = CellPath(["api", "east"])
    message = TargetedMessage.new(
        method="ping", route=way[:1], target=way, direction=Direction.DOWN, kwargs={"text": "é"}, id="m"
    )
    return message.sealed(version, 10_000)


def got(received: list[Any], count: int = 1) -> list[Any]:
    poll(lambda: len(received) >= count, f"{count} messages arrive", pause_seconds=0.01)
    return received


@pytest.mark.parametrize("version", ALONE)
def test_before_1_3_each_message_is_a_cast_of_its_own_in_its_version(place: Place, version: str) -> None:
    received = place.manager("east-1")
    sealed = request(version)
    place.api.send_message_to_cell(EAST, sealed)
    (cast,) = got(received)
    assert {key: cast[key] for key in ("method", "version", "args")} == {
        "method": "process_message",
        "version": version,
        "args": {"message": sealed.to_json()},
    }


def test_a_link_sends_to_the_exchange_that_its_url_names(place: Place) -> None:
    """Another [DEFAULT] control_exchange of the neighbor is an option of its link (case A2)."""
    own, novas = place.manager("east-1"), place.manager("east-1", exchange="nova")
    nova = Neighbor("east", f"{URL}?control_exchange=nova", is_parent=False)
    for cell in (nova, EAST):
        place.api.send_message_to_cell(cell, request("1.0"))
    assert (len(got(novas)), len(got(own))) == (1, 1)


def test_the_wire_of_1_0_has_no_more_keys_than_novas(place: Place) -> None:
    received = place.manager("east-1")
    place.api.send_message_to_cell(EAST, request("1.0"))
    (cast,) = got(received)
    assert {key for key in cast if cast[key] is not None} <= {"method", "args", "version", "namespace"}
    assert cast["args"].keys() == {"message"}
    assert json.loads(cast["args"]["message"])["method_kwargs"] == {"text": "é"}


@pytest.mark.parametrize("count", [1, 3])
def test_from_1_3_on_many_are_one_cast_of_items(place: Place, count: int) -> None:
    received = place.manager("east-1")
    sealed = [request("1.3") for _ in range(count)]
    place.api.send_messages_to_cell(EAST, sealed)
    (cast,) = got(received)
    assert (cast["method"], cast["version"]) == ("process_messages", "1.3")
    assert cast["args"] == {"messages": [message.to_item() for message in sealed]}


def test_a_message_for_any_manager_goes_to_one_of_them(place: Place) -> None:
    one, two = place.manager("east-1"), place.manager("east-2")
    for number in range(6):
        place.api.send_message_to_cell(EAST, TextMessage("targeted", False, str(number)))
    poll(lambda: len(one) + len(two) >= 6, "all arrive", pause_seconds=0.01)
    assert sorted(cast["args"]["message"] for cast in one + two) == [str(number) for number in range(6)]


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_an_answer_goes_to_the_manager_that_asked(place: Place, version: str) -> None:
    one, two = place.manager("east-1", "response"), place.manager("east-2", "response")
    for number in range(6):
        place.api.send_message_to_cell(
            EAST, TextMessage("response", False, str(number), version=version, server=f"east-{number % 2 + 1}")
        )
    assert [cast["args"]["message"] for cast in got(one, 3)] == ["0", "2", "4"]
    assert [cast["args"]["message"] for cast in got(two, 3)] == ["1", "3", "5"]
    assert {cast["version"] for cast in one + two} == {version}


def test_so_do_many_in_one_cast(place: Place) -> None:
    one, two = place.manager("east-1", "response"), place.manager("east-2", "response")
    item = TextMessage("response", False, "", version="1.3", server="east-2", item={"n": 1})
    place.api.send_messages_to_cell(EAST, [item, item])
    assert got(two)[0]["args"] == {"messages": [{"n": 1}, {"n": 1}]}
    assert one == []


@pytest.mark.parametrize("version", list(versions.HISTORY))
def test_a_fan_out_goes_to_all_in_every_version(place: Place, version: str) -> None:
    managers = [place.manager("east-1", "response"), place.manager("east-2", "response")]
    message = TextMessage(
        "response", True, "news", version=version, item={"text": "news"} if version == "1.3" else None
    )
    if message.may_share_a_cast:
        place.api.send_messages_to_cell(EAST, [message])
    else:
        place.api.send_message_to_cell(EAST, message)
    for received in managers:
        assert [cast["version"] for cast in got(received)] == [version]


def test_one_link_serves_messages_of_all_versions_in_turn(place: Place) -> None:
    """A neighbor may be upgraded, and go back, while the link is open."""
    received = place.manager("east-1")
    wanted = ["1.0", "1.3", "1.1", "1.0", "1.2", "1.3"]
    for version in wanted:
        sealed = request(version)
        if sealed.may_share_a_cast:
            place.api.send_messages_to_cell(EAST, [sealed])
        else:
            place.api.send_message_to_cell(EAST, sealed)
    assert [cast["version"] for cast in got(received, len(wanted))] == wanted


def test_received_messages_are_handed_on_unchanged() -> None:
    received: list[object] = []
    dispatcher = rpc.InterCellRPCDispatcher(received.append)
    dispatcher.process_message({}, "text")
    dispatcher.process_messages({}, [{"n": 1}, {"n": 2}])
    assert received == ["text", [{"n": 1}, {"n": 2}]]
    assert dispatcher.target.version == versions.CURRENT
