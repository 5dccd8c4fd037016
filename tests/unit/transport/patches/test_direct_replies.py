"""Patch direct_replies: the reply on a client's queue is the reply that its server would have sent."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_messaging._drivers import common as rpc_common

from cells.transport.patches import direct_replies
from cells.transport.patches.direct_replies import DIRECT_REPLIES, ReplyAddress


class Broker:
    """Stands for a transport, its driver and a connection of that."""

    def __init__(self) -> None:
        self._driver = self
        self.sent: list[dict[str, Any]] = []

    @contextlib.contextmanager
    def _get_connection(self, purpose: str, retry: int) -> Iterator[Broker]:
        assert (purpose, retry) == (rpc_common.PURPOSE_SEND, 1)
        yield self

    def topic_send(self, **what: Any) -> None:
        self.sent.append(what)


@pytest.mark.parametrize("request_id", ["4f2a", '4", "result": "another'])
def test_an_answer_is_in_the_form_of_oslo_messaging(request_id: str) -> None:
    broker = Broker()
    for _ in range(2):
        direct_replies.put(broker, ReplyAddress(request_id, "reply_1"), '{"disk": [1, 2.5, null]}')
    sent = broker.sent[0]
    assert (sent["exchange_name"], sent["topic"], sent["retry"]) == ("", "reply_1", 1)
    assert sent["transport_options"].at_least_once
    first, second = (rpc_common.deserialize_msg(one["msg"]) for one in broker.sent)
    # Two answers are never taken for one that came twice.
    assert first.pop("_unique_id") != second.pop("_unique_id")
    assert first == {"result": {"disk": [1, 2.5, None]}, "failure": None, "ending": True, "_msg_id": request_id}


def test_the_envelope_is_that_of_oslo_messaging() -> None:
    broker = Broker()
    direct_replies.put(broker, ReplyAddress("4f2a", "reply_1"), "1")
    assert broker.sent[0]["msg"].keys() == rpc_common.serialize_msg({}).keys()
    assert json.loads(broker.sent[0]["msg"]["oslo.message"])["result"] == 1


@pytest.mark.parametrize(
    ("url", "is_reached"),
    [
        *((url, True) for url in ("rabbit://user:secret@host/a", "rabbit+foo://host")),
        *((url, False) for url in ("zmq:///", "zmq+ipc:///run/east", "fake://", "memory://bus/east")),
    ],
)
def test_clients_have_a_queue_on_rabbitmq_alone(url: str, is_reached: bool) -> None:
    assert direct_replies.reaches_clients(url) is is_reached


def test_no_client_is_reached_if_it_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DIRECT_REPLIES, "is_disabled", True)
    assert not direct_replies.reaches_clients("rabbit://user:secret@host/a")


#: For a broker, which counts bytes: what cannot be sent would look as if it were away.
TOO_LONG = ["4f2a@reply_" + "x" * 250, "4f2a@reply_" + "\u20ac" * 200]


def test_an_address_is_read_as_it_was_written() -> None:
    address = ReplyAddress("4f2a", "reply_web-1:nova-api:3")
    assert ReplyAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "4f2a", "4f2a@", "@reply_1", "4f2a@cells", "4f2a@cells.intercell.response", "@", "4f-2@reply_1", *TOO_LONG],
)
def test_only_the_queue_of_a_client_is_an_address(text: str) -> None:
    assert ReplyAddress.parse(text) is None
