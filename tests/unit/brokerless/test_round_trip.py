"""One request on one connection: answers and errors that end the wait."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

import oslo_messaging
import pytest

from cells.brokerless import frames, round_trip
from cells.brokerless.connections import Connection, ConnectionLost
from cells.brokerless.frames import Answer, Request
from cells.brokerless.round_trip import Outgoing, Refused, ServerLost
from cells.brokerless.server import FULL, NO_LISTENER
from tests.cases import each

REQUEST = Request(frames.CALL, b"id", "key", "", b"{}")


class ScriptedConnection:
    """Returns its script entry by entry, then None."""

    def __init__(self, *script: Sequence[bytes] | Exception) -> None:
        self.script = deque(script)
        self.sent: list[list[bytes]] = []
        self.deadlines: list[float] = []

    def send(self, parts: list[bytes]) -> None:
        self.sent.append(parts)

    def receive(self, deadline: float) -> list[bytes] | None:
        self.deadlines.append(deadline)
        if not self.script:
            return None
        entry = self.script.popleft()
        if isinstance(entry, Exception):
            raise entry
        return list(entry)


def answer(kind: bytes, body: bytes = b"", message_id: bytes = b"id") -> list[bytes]:
    return Answer(kind, message_id, body).to_frames()


def wait(connection: ScriptedConnection, seconds: float = 100, monitor_seconds: float | None = None) -> Answer:
    return round_trip.receive(cast(Connection, connection), REQUEST, time.monotonic() + seconds, monitor_seconds)


def test_request_has_the_content_of_the_message_and_a_new_id() -> None:
    connection = ScriptedConnection()
    message = Outgoing(frames.CAST, "key", b"{}")
    sent = [round_trip.send(cast(Connection, connection), message, "audit") for _ in range(2)]
    assert [frames.read_request(parts) for parts in connection.sent] == sent
    assert sent[0].message_id != sent[1].message_id
    assert sent[0]._replace(message_id=b"id") == Request(frames.CAST, b"id", "key", "audit", b"{}")


@each("kind", [frames.REPLY, frames.FAILURE, frames.ACCEPTED, frames.REFUSED])
def test_each_kind_of_answer_ends_the_wait(kind: bytes) -> None:
    assert wait(ScriptedConnection(answer(kind, b"body"))) == Answer(kind, b"id", b"body")


def test_heartbeats_and_late_answers_to_other_requests_are_skipped() -> None:
    connection = ScriptedConnection(
        answer(frames.REPLY, b"1", b"late"),
        answer(frames.WORKING),
        answer(frames.REFUSED, b"2", b"later"),
        answer(frames.WORKING, b"", b"late"),
        answer(frames.REPLY, b"3"),
    )
    assert wait(connection).body == b"3"


def test_no_answer_is_a_timeout() -> None:
    with pytest.raises(oslo_messaging.MessagingTimeout) as raised:
        wait(ScriptedConnection(answer(frames.WORKING)))
    assert not isinstance(raised.value, ServerLost)


def test_server_without_heartbeats_is_a_timeout_before_the_deadline() -> None:
    connection = ScriptedConnection()
    before = time.monotonic()
    with pytest.raises(oslo_messaging.MessagingTimeout):
        wait(connection, 100, monitor_seconds=5)
    assert before + 5 <= connection.deadlines[0] <= time.monotonic() + 5


def test_heartbeats_prolong_a_call_until_its_deadline() -> None:
    connection = ScriptedConnection(*[answer(frames.WORKING)] * 3, answer(frames.REPLY))
    assert wait(connection, 100, monitor_seconds=5).kind == frames.REPLY
    assert connection.deadlines == sorted(connection.deadlines)
    connection = ScriptedConnection(answer(frames.WORKING))
    with pytest.raises(oslo_messaging.MessagingTimeout):
        wait(connection, 3, monitor_seconds=5)
    assert connection.deadlines[0] == connection.deadlines[1]


@each("script", [ConnectionLost(), [b"HTTP/1.1 400"], [b"cells2", b"reply", b"id", b""]])
def test_lost_connection_or_another_protocol_ends_the_wait(script: Sequence[bytes] | Exception) -> None:
    with pytest.raises(ServerLost) as raised:
        wait(ScriptedConnection(script))
    assert isinstance(raised.value, oslo_messaging.MessagingTimeout)


def test_refusal_for_lack_of_a_listener_is_distinguished() -> None:
    check: Callable[[Answer], None] = round_trip.raise_if_refused
    for reason, has_no_listener in ((NO_LISTENER, True), (FULL, False), ("\udcff?", False)):
        body = reason.encode(errors="surrogateescape")
        with pytest.raises(Refused) as raised:
            check(Answer(frames.REFUSED, b"id", body))
        assert raised.value.has_no_listener is has_no_listener
    for kind in (frames.REPLY, frames.FAILURE, frames.ACCEPTED):
        check(Answer(kind, b"id", b""))
