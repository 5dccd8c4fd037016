"""Patch neighbor_publish: a link declares nothing, and a refused message is no broken connection."""

from __future__ import annotations

import itertools
import json
from typing import Any

import amqp.exceptions  # type: ignore[import-untyped]  # it has none
import oslo_messaging
import pytest

from cells import conf as cells_conf
from cells.transport import open_transport
from cells.transport.attempts import Attempts
from cells.transport.errors import lacks_exchange, may_arrive, refusal_in
from cells.transport.link import open_link
from cells.transport.patches.neighbor_publish import NEIGHBOR_PUBLISH
from tests.cases import each
from tests.unit.transport.patches.kombu_broker import Broker, Resending

URL = "rabbit://user:secret@host/a"


def link() -> Any:
    return open_link(cells_conf.load([]), URL, 10)


def test_a_link_declares_nothing() -> None:
    """The options of this cell's queues do not reach a neighbor's broker (cases A1 and A2)."""
    broker = Broker()
    connection = broker.connect(link())
    connection.topic_send("nova", "cells.intercell.targeted", {})
    connection.fanout_send("cells.intercell.targeted", {})
    assert broker.published == ["nova", "cells.intercell.targeted_fanout"]
    assert broker.declared == []


@pytest.mark.parametrize("is_disabled", [False, True])
def test_the_own_broker_and_a_disabled_patch_are_left_as_they_are(
    monkeypatch: pytest.MonkeyPatch, is_disabled: bool
) -> None:
    monkeypatch.setattr(NEIGHBOR_PUBLISH, "is_disabled", is_disabled)
    transport = link() if is_disabled else open_transport(cells_conf.load([]), URL)
    broker = Broker()
    broker.connect(transport).topic_send("nova", "cells", {})
    assert broker.declared == ["nova"]


@each(
    "refusal",
    [
        amqp.NotFound("no exchange 'nova' in vhost 'a'"),
        amqp.AccessRefused("write access to exchange 'nova' refused", (60, 40)),
        amqp.PreconditionFailed("message size 2 is larger than configured max size 1"),
        amqp.exceptions.MessageNacked(),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_a_refused_message_does_not_break_its_connection(refusal: Exception) -> None:
    def refuse(_: object) -> None:
        raise refusal

    broker = Broker(refuse)
    connection = broker.connect(link())
    with pytest.raises(Exception) as caught:  # noqa: PT011  # a private class of the library
        connection.topic_send("nova", "cells.intercell.targeted", {}, retry=1)
    assert refusal_in(caught.value) is refusal
    assert lacks_exchange(caught.value) is isinstance(refusal, amqp.NotFound)
    assert not may_arrive(caught.value)
    # The connection keeps its channel, which py-amqp opens again.
    assert None not in broker.recovered


def test_a_write_that_times_out_breaks_its_connection() -> None:
    """It may have ended within a frame.  py-amqp before 5.4 raises a channel error, as for a refusal."""

    def time_out(_: object) -> None:
        raise amqp.RecoverableChannelError("basic_publish: timed out")

    connection = Broker(time_out).connect(link())
    with pytest.raises(oslo_messaging.MessageDeliveryFailure) as caught:
        connection.topic_send("nova", "cells.intercell.targeted", {}, retry=0)
    assert refusal_in(caught.value) is None
    assert isinstance(caught.value.__context__, amqp.RecoverableConnectionError)


def test_the_confirmation_of_an_unroutable_message_is_not_left_for_the_next_one() -> None:
    broker = Broker(lambda connection: connection.on_return(amqp.NoConsumers("NO_ROUTE"), "nova", "key", "{}"))
    connection = broker.connect(link())
    for number in (1, 2):
        with pytest.raises(oslo_messaging.MessageUndeliverable):
            connection.topic_send("nova", "cells.intercell.targeted", {})
        assert broker.confirmed == number


def send_again(broker: Resending) -> Attempts:
    """Publish a message whose text is a number that grows each time when it is written."""
    numbers = itertools.count(2)
    attempts = Attempts(lambda: {"message": str(next(numbers))})
    envelope = {"oslo.version": "2.0", "oslo.message": json.dumps({"method": "m", "args": {"message": "1"}})}
    with attempts:
        broker.connect(link()).topic_send("nova", "cells.intercell.targeted", envelope, retry=1)
    return attempts


def test_a_message_that_is_sent_again_is_written_anew() -> None:
    """The remaining time of a message that is sent again is that of the second attempt (case C4)."""
    broker = Resending(ConnectionResetError("reset"))
    send_again(broker)
    assert [sent["message"] for sent in broker.arguments] == ["1", "2"]


@each(
    ("error", "is_uncertain"),
    [
        (ConnectionResetError("reset"), True),
        # py-amqp raises it while it waits for the confirmation.
        (amqp.RecoverableConnectionError("connection already closed"), True),
        (amqp.RecoverableConnectionError("basic_publish: connection closed"), False),
        (amqp.RecoverableChannelError("basic_publish: timed out"), False),
    ],
)
def test_a_message_may_have_arrived_if_its_confirmation_is_missing(error: Exception, *, is_uncertain: bool) -> None:
    """An attempt that ended while the broker confirmed the message may have been successful (case C5)."""
    broker = Resending(error)
    assert send_again(broker).was_interrupted is is_uncertain
