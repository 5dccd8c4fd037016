"""Replies on real brokers that go directly to the calling client, bypassing its manager."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import kombu
import pytest

from cells.transport.patches.direct_replies import ReplyAddress
from tests.integration.rabbitmq import amqp_url
from tests.integration.test_versions import Pair, pair  # noqa: F401  # a fixture
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq

Json = dict[str, Any]


class Client:
    """Reply queue on the neighbor's broker, like the queue of an oslo.messaging client."""

    def __init__(self, url: str) -> None:
        self.address = ReplyAddress(uuid.uuid4().hex, f"reply_{uuid.uuid4().hex}")
        self._connection = kombu.Connection(amqp_url(url))
        self._channel: Any = self._connection.channel()
        self._channel.queue_declare(self.address.queue, exclusive=True)

    def close(self) -> None:
        self._connection.release()

    def wait_for_answer(self) -> Json:
        message = poll(lambda: self._channel.basic_get(self.address.queue, no_ack=True), "an answer lies in the queue")
        body = json.loads(message.body)
        assert body["oslo.version"] == "2.0"
        return json.loads(body["oslo.message"])  # type: ignore[no-any-return]


@pytest.fixture
def client(running: Pair) -> Iterator[Client]:
    client = Client(running.east_url)
    yield client
    client.close()


@pytest.fixture
def running(pair: Pair) -> Pair:  # noqa: F811  # the fixture
    pair.run_under("auto")
    pair.cap("auto")
    pair.east.announced = "1.4"
    pair.east.announce()
    pair.wait_for_version("1.4")
    return pair


def answer_to(pair: Pair, request_id: str) -> Json:  # noqa: F811  # not the fixture
    """Return the messages that the calling manager receives."""
    (message,) = pair.east.wait_for_cast(response_uuid=request_id).messages
    kwargs: Json = json.loads(message["payload"])["method_kwargs"]
    assert message["reply_server"] == "east-2"
    return kwargs


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.4"])
def test_a_value_goes_to_the_client_and_its_manager_is_notified(running: Pair, client: Client, version: str) -> None:
    (request_id,) = running.east.call(version, "ping", reply_to=str(client.address))
    answer = client.wait_for_answer()
    assert answer.pop("_unique_id")
    assert answer.pop("result")["name"] == "api"
    assert answer == {"failure": None, "ending": True, "_msg_id": client.address.request_id}
    notice = answer_to(running, request_id)
    assert notice["responses"] == ['{"answered": true}']
    assert json.loads(notice["orig_message"]) == {"uuid": request_id, "method_name": "ping"}


def test_the_key_of_release_0_2_is_honored_up_to_version_1_3(running: Pair, client: Client) -> None:
    running.east.announced = "1.3"
    running.east.announce()
    running.wait_for_version("1.3", announced="1.3")
    (request_id,) = running.east.call("1.3", "ping", reply_to=str(client.address))
    assert client.wait_for_answer()["result"]["name"] == "api"
    assert answer_to(running, request_id)["responses"] == ['{"answered": true}']


def test_an_error_goes_to_the_manager(running: Pair, client: Client) -> None:
    (request_id,) = running.east.call("1.4", "no_such_method", reply_to=str(client.address))
    (text,) = answer_to(running, request_id)["responses"]
    assert json.loads(json.loads(text)["value"])["class"] == "UnknownMethod"


def test_the_manager_gets_the_answer_to_a_client_that_is_gone(running: Pair, client: Client) -> None:
    client.close()
    (request_id,) = running.east.call("1.4", "ping", reply_to=str(client.address))
    (text,) = answer_to(running, request_id)["responses"]
    assert json.loads(text)["value"]["name"] == "api"
    counters = running.api.status()["counters"]
    assert counters["undelivered.ClientGone"] == 1


def test_replies_go_only_to_reply_queues(running: Pair) -> None:
    """A neighbor may name a queue that is no reply queue."""
    (request_id,) = running.east.call("1.4", "ping", reply_to="1@cells.intercell.targeted")
    (text,) = answer_to(running, request_id)["responses"]
    assert json.loads(text)["value"]["name"] == "api"


def test_a_real_client_gets_its_answer_while_its_manager_is_stuck(running: Pair) -> None:
    before = running.api.status()
    assert running.client.call({}, "east", "look", {"disk": 1}, timeout=20) == "what east says"
    # This neighbor answers to the manager, like an older release; no call remains pending.
    assert before["pending_calls"] == running.api.status()["pending_calls"] == 0
