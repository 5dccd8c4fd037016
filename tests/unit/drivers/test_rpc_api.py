"""The client of a neighbor's broker: one transport per URL, and errors without passwords."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import amqp.exceptions  # type: ignore[import-untyped]  # it has none
import oslo_messaging
import pytest
from oslo_config import cfg

from cells import conf as cells_conf
from cells import exceptions, versions
from cells.drivers import rpc
from cells.drivers.base import DriverSettings
from cells.messages import MESSAGE_TYPES
from cells.neighbors.neighbor import Neighbor
from cells.transport.link import open_link
from cells.transport.patches import direct_replies
from cells.transport.rabbitmq import MAX_NAME_BYTES
from tests.cases import each
from tests.text_message import TextMessage

MESSAGE = TextMessage("targeted", False, json.dumps({"text": "hello"}))


def neighbor(name: str, url: str = "fake://user:secret@host/a") -> Neighbor:
    return Neighbor(name, url, is_parent=False)


class Opened:
    """Opener of transports that records the opened and the closed URLs."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.closed: list[str] = []
        #: replaces the send of the transports that are opened from now on
        self.send: Callable[..., object] | None = None

    def __call__(self, conf: cfg.ConfigOpts, url: str, send_timeout_seconds: int) -> Any:
        transport = open_link(conf, url, send_timeout_seconds)
        self.urls.append(url)
        cleanup = transport.cleanup

        def record_and_clean_up() -> None:
            self.closed.append(url)
            cleanup()

        transport.cleanup = record_and_clean_up
        if self.send is not None:
            transport._send = self.send
        return transport


def raising(error: Exception) -> Callable[..., None]:
    """Return a function that raises ``error``."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.fixture
def opened() -> Opened:
    return Opened()


def settings(**changes: Any) -> DriverSettings:
    return DriverSettings(cells_conf.load([]), "host", None, MESSAGE_TYPES, **changes)


@pytest.fixture
def api(opened: Opened) -> Iterator[rpc.InterCellRPCAPI]:
    api = rpc.InterCellRPCAPI(settings(), opened)
    yield api
    api.close()


def test_nothing_is_opened_before_the_first_message(api: rpc.InterCellRPCAPI, opened: Opened) -> None:
    assert opened.urls == []
    api.send_message_to_cell(neighbor("east"), MESSAGE)
    api.send_message_to_cell(neighbor("east"), TextMessage("response", True, "{}"))
    assert opened.urls == ["fake://user:secret@host/a"]


def test_a_transport_is_shared_by_url_and_closed_with_its_last_link(api: rpc.InterCellRPCAPI, opened: Opened) -> None:
    east, west, other = neighbor("east"), neighbor("west"), neighbor("other", "fake://host/b")
    for cell in (east, west, other):
        api.send_message_to_cell(cell, MESSAGE)
    assert opened.urls == [east.transport_url, other.transport_url]
    api.close_link(east)
    api.close_link(east)
    assert opened.closed == []
    api.close_link(west)
    assert opened.closed == [east.transport_url]
    api.send_message_to_cell(east, MESSAGE)
    assert len(opened.urls) == 3


def test_closing_closes_all(api: rpc.InterCellRPCAPI, opened: Opened) -> None:
    api.send_message_to_cell(neighbor("east"), MESSAGE)
    api.send_message_to_cell(neighbor("west", "fake://host/b"), MESSAGE)
    api.close()
    api.close()
    assert sorted(opened.closed) == sorted(opened.urls)


@pytest.mark.parametrize("url", ["carrier-pigeon://user:secret@host/", "rabbit://user:secret@host:port/"])
def test_an_invalid_url_is_an_unreachable_neighbor(api: rpc.InterCellRPCAPI, url: str) -> None:
    class Row:
        name, driver, transport_url = "east", "rpc", url

    with pytest.raises(exceptions.NeighborUnreachable, match="east") as caught:
        api.send_message_to_cell(Row, MESSAGE)  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


@each(
    ("cap", "version"),
    [(None, versions.CURRENT), ("auto", versions.CURRENT), ("1.0", "1.0"), ("1.2", "1.2"), ("stein", "1.0")],
)
def test_version_cap_may_be_a_release(cap: str | None, version: str) -> None:
    assert rpc.InterCellRPCAPI(settings(version_cap=cap)).version_cap == version


def test_an_unknown_version_cap_is_refused() -> None:
    with pytest.raises(exceptions.ConfigurationError, match="wallaby"):
        rpc.InterCellRPCAPI(settings(version_cap="wallaby"))


@pytest.mark.parametrize(
    ("version", "seconds", "expires_after"),
    [("1.1", 100.0, 100.0), ("1.1", 2.0, 10.0), ("1.1", None, None), ("1.0", 100.0, None)],
)
def test_a_call_expires_in_the_broker_with_its_deadline(
    api: rpc.InterCellRPCAPI, opened: Opened, version: str, seconds: float | None, expires_after: float | None
) -> None:
    sent: list[float | None] = []
    opened.send = lambda *_, timeout=None, **__: sent.append(timeout)
    deadline = None if seconds is None else time.monotonic() + seconds
    message = TextMessage("targeted", False, "{}", version=version, deadline=deadline)
    api.send_message_to_cell(neighbor("east"), message)
    assert sent == [expires_after if expires_after is None else pytest.approx(expires_after, abs=5)]


def test_a_batch_expires_with_its_last_deadline(api: rpc.InterCellRPCAPI, opened: Opened) -> None:
    sent: list[float] = []
    opened.send = lambda *_, timeout=None, **__: sent.append(timeout)
    now = time.monotonic()
    calls = [
        TextMessage("targeted", False, "", version="1.3", item={"n": seconds}, deadline=now + seconds)
        for seconds in (50, 200, 100)
    ]
    api.send_messages_to_cell(neighbor("east"), calls)
    assert sent == [pytest.approx(200, abs=5)]


@pytest.mark.parametrize("is_fanout", [True, False])
def test_a_fanout_without_a_receiver_is_no_failure_of_the_neighbor(
    api: rpc.InterCellRPCAPI, opened: Opened, is_fanout: bool
) -> None:
    failure = oslo_messaging.MessageDeliveryFailure("Unable to connect")
    failure.__cause__ = amqp.NotFound("no exchange 'cells.intercell.targeted_fanout'")
    opened.send = raising(failure)
    message = TextMessage("targeted", is_fanout, "{}")
    if is_fanout:
        api.send_message_to_cell(neighbor("east"), message)
    else:
        with pytest.raises(exceptions.NeighborUnreachable):
            api.send_message_to_cell(neighbor("east"), message)


NO_QUEUE = oslo_messaging.MessageUndeliverable(amqp.NotFound("no queue"), "", "key", "{}")
GONE_TOO = TextMessage("response", False, "{}", version="1.3", server="east-1", item={"n": 1})


@pytest.mark.parametrize("is_many", [False, True])
def test_a_manager_that_has_no_queue_is_gone_and_its_cell_is_not(
    api: rpc.InterCellRPCAPI, opened: Opened, is_many: bool
) -> None:
    opened.send = raising(NO_QUEUE)
    with pytest.raises(exceptions.ManagerGone) as caught:
        send(api, GONE_TOO, is_many=is_many)
    assert caught.value.cell == "east"
    with pytest.raises(exceptions.NeighborUnreachable):
        send(api, dataclasses.replace(GONE_TOO, server=""), is_many=is_many)


@pytest.mark.parametrize("is_many", [False, True])
def test_a_manager_of_a_name_that_no_queue_can_have_is_gone(
    api: rpc.InterCellRPCAPI, opened: Opened, is_many: bool
) -> None:
    with pytest.raises(exceptions.ManagerGone):
        send(api, dataclasses.replace(GONE_TOO, server="x" * MAX_NAME_BYTES), is_many=is_many)
    assert opened.urls == []


def send(api: rpc.InterCellRPCAPI, message: TextMessage, *, is_many: bool) -> None:
    if is_many:
        api.send_messages_to_cell(neighbor("east"), [message])
    else:
        api.send_message_to_cell(neighbor("east"), message)


def test_a_value_goes_to_the_queue_of_the_client(api: rpc.InterCellRPCAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(direct_replies, "put", lambda _, address, value: sent.append((str(address), value)))
    api.reply_to_client(neighbor("east"), "4f2a@reply_1", "[1]")
    assert sent == [("4f2a@reply_1", "[1]")]


@pytest.mark.parametrize("reply_to", ["", "4f2a", "4f2a@cells.intercell.response"])
def test_no_other_queue_is_written_to(api: rpc.InterCellRPCAPI, opened: Opened, reply_to: str) -> None:
    with pytest.raises(exceptions.ClientGone):
        api.reply_to_client(neighbor("east"), reply_to, "1")
    assert opened.urls == []


@pytest.mark.parametrize(
    ("problem", "error"),
    [(NO_QUEUE, exceptions.ClientGone), (ConnectionRefusedError("away"), exceptions.NeighborUnreachable)],
)
def test_a_client_without_a_queue_is_gone_and_a_broker_that_is_down_is_unreachable(
    api: rpc.InterCellRPCAPI, monkeypatch: pytest.MonkeyPatch, problem: Exception, error: type[exceptions.CellsError]
) -> None:
    monkeypatch.setattr(direct_replies, "put", raising(problem))
    with pytest.raises(error) as caught:
        api.reply_to_client(neighbor("east"), "4f2a@reply_1", "1")
    assert caught.value.cell == "east"


@pytest.mark.parametrize(("url", "is_reached"), [("rabbit://host/a", True), ("zmq+ipc:///run/east", False)])
def test_clients_are_reached_only_on_rabbitmq(url: str, is_reached: bool) -> None:
    assert rpc.CellsRPCDriver(settings()).reaches_clients(neighbor("east", url)) is is_reached


def test_a_user_that_may_not_write_to_queues_of_clients_does_not_try_again(
    api: rpc.InterCellRPCAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = oslo_messaging.MessageDeliveryFailure("Unable to connect")
    failure.__cause__ = amqp.AccessRefused("access to exchange 'amq.default' in vhost '/' refused", (60, 40))
    monkeypatch.setattr(direct_replies, "put", raising(failure))
    east = neighbor("east", "rabbit://user:secret@host/a")
    assert api.reaches_clients(east)
    with pytest.raises(exceptions.ClientGone):
        api.reply_to_client(east, "4f2a@reply_1", "1")
    assert not api.reaches_clients(east)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (amqp.PreconditionFailed("message size 3 is larger than configured max size 2"), exceptions.MessageTooLarge),
        (amqp.PreconditionFailed("invalid expiration"), exceptions.MessageRefused),
        (amqp.AccessRefused("write access to exchange 'openstack' refused", (60, 40)), exceptions.MessageRefused),
        (amqp.exceptions.MessageNacked(), exceptions.MessageRefused),
    ],
)
def test_the_refusal_of_one_message_is_an_error_of_that_message(
    api: rpc.InterCellRPCAPI, opened: Opened, refusal: Exception, error: type[exceptions.CellsError]
) -> None:
    """A broker that says no to one message takes others: it is not away (case C6)."""
    failure = oslo_messaging.MessageDeliveryFailure("Not taken")
    failure.__cause__ = refusal
    opened.send = raising(failure)
    with pytest.raises(error) as caught:
        api.send_message_to_cell(neighbor("east"), MESSAGE)
    assert not getattr(caught.value, "may_arrive", None)


def test_a_refused_login_is_an_unreachable_neighbor(
    api: rpc.InterCellRPCAPI, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlike a refused operation of a channel, it concerns every message; py-amqp has one class for both."""
    failure = oslo_messaging.MessageDeliveryFailure("Unable to connect")
    failure.__cause__ = amqp.AccessRefused("ACCESS_REFUSED - Login was refused", (0, 0))
    opened.send = raising(failure)
    monkeypatch.setattr(direct_replies, "put", raising(failure))
    east = neighbor("east", "rabbit://user:secret@host/a")
    for send in (
        lambda: api.send_message_to_cell(east, MESSAGE),
        lambda: api.reply_to_client(east, "4f2a@reply_1", "1"),
    ):
        with pytest.raises(exceptions.NeighborUnreachable):
            send()
    assert api.reaches_clients(east)
