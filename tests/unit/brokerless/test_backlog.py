"""The backlog: notifications without a listener are kept in order, up to a limit, and dropped at close."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import cast

import oslo_messaging
import pytest

from cells import exceptions
from cells.brokerless import backlog as module
from cells.brokerless.backlog import Backlog
from cells.brokerless.round_trip import DeliveryUnknown, Outgoing, ServerLost
from cells.brokerless.sender import Sender
from tests.unit.brokerless.serving import ended, on_thread
from tools.polling import poll

KEY = "notify~openstack~n%2Einfo"


class Listeners:
    """Stands for a sender and its peers; the test sets which pools are known and which listen."""

    def __init__(self) -> None:
        self.peers = self
        self.listening: set[str] = set()
        self.known: set[str] = {""}
        self.received: list[tuple[str, bytes]] = []
        self.problem: Exception | None = None
        self.after_failure: Callable[[], object] = lambda: None

    def pools(self, _key: str) -> list[str]:
        if isinstance(self.problem, exceptions.MatchMakerException):
            raise self.problem
        return sorted(self.known)

    def cast(self, message: Outgoing) -> None:
        assert message.retry == 0
        assert message.pool is not None
        if self.problem is not None:
            raise self.problem
        if message.pool not in self.listening:
            self.after_failure()
            raise oslo_messaging.MessageDeliveryFailure("no listener")
        self.received.append((message.pool, message.body))


@pytest.fixture
def listeners() -> Listeners:
    return Listeners()


@pytest.fixture
def backlog(listeners: Listeners, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backlog]:
    monkeypatch.setattr(module, "RETRY_INTERVAL_SECONDS", 0.005)
    made = Backlog(cast(Sender, listeners), max_size=5)
    yield made
    assert ended(on_thread(made.close))


@pytest.fixture
def no_retries(backlog: Backlog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backlog retries when it is closed, and not before."""
    monkeypatch.setattr(module, "RETRY_INTERVAL_SECONDS", 600)


def arrived(listeners: Listeners, count: int) -> list[tuple[str, bytes]]:
    poll(lambda: len(listeners.received) >= count, f"{count} arrive")
    return listeners.received


def test_notification_with_listeners_is_delivered_at_once(backlog: Backlog, listeners: Listeners) -> None:
    listeners.listening = listeners.known = {"", "audit"}
    backlog.send(KEY, b"1")
    assert listeners.received == [("", b"1"), ("audit", b"1")]
    assert len(backlog) == 0


def test_kept_notifications_arrive_in_order(backlog: Backlog, listeners: Listeners) -> None:
    for number in range(5):
        backlog.send(KEY, b"%d" % number)
    listeners.listening = {""}
    assert arrived(listeners, 5) == [("", b"%d" % number) for number in range(5)]
    poll(lambda: len(backlog) == 0, "none is kept")
    backlog.send(KEY, b"5")
    assert listeners.received[-1] == ("", b"5")


def test_topics_do_not_delay_each_other(backlog: Backlog, listeners: Listeners) -> None:
    backlog.send(KEY, b"1")
    listeners.listening = {""}
    backlog.send("notify~openstack~other", b"2")
    assert ("", b"2") in listeners.received


@pytest.mark.usefixtures("no_retries")
def test_newer_notification_does_not_overtake(backlog: Backlog, listeners: Listeners) -> None:
    backlog.send(KEY, b"1")
    listeners.listening = {""}
    backlog.send(KEY, b"2")
    assert listeners.received == []
    backlog.close()
    assert listeners.received == [("", b"1"), ("", b"2")]


def test_new_pool_gets_each_notification_once_and_in_order(backlog: Backlog, listeners: Listeners) -> None:
    listeners.known, listeners.listening = {"", "audit"}, {""}
    for number in range(3):
        backlog.send(KEY, b"%d" % number)
    assert arrived(listeners, 3) == [("", b"0"), ("", b"1"), ("", b"2")]
    listeners.listening = {"", "audit"}
    assert arrived(listeners, 6)[3:] == [("audit", b"0"), ("audit", b"1"), ("audit", b"2")]


@pytest.mark.usefixtures("no_retries")
def test_stopped_pool_does_not_delay_other_pools(backlog: Backlog, listeners: Listeners) -> None:
    listeners.known, listeners.listening = {"", "audit"}, {""}
    for number in range(5):
        backlog.send(KEY, b"%d" % number)
    assert [pool for pool, _ in listeners.received] == [""] * 5
    listeners.known = {""}
    backlog.send(KEY, b"5")
    assert listeners.received[5:] == [("", b"5")]
    listeners.known = listeners.listening = {"", "audit"}
    backlog.close()
    assert listeners.received[6:] == [("audit", b"%d" % number) for number in range(5)]


def test_pool_that_starts_during_a_retry_gets_older_notifications_first(backlog: Backlog, listeners: Listeners) -> None:
    listeners.known, listeners.listening = {"", "audit"}, {""}
    for number in range(2):
        backlog.send(KEY, b"%d" % number)
    listeners.after_failure = lambda: listeners.listening.add("audit")
    arrived(listeners, 4)
    for pool in ("audit", ""):
        assert [body for receiver, body in listeners.received if receiver == pool] == [b"0", b"1"]


def test_full_backlog_is_an_error(backlog: Backlog, listeners: Listeners) -> None:
    for number in range(5):
        backlog.send(KEY, b"%d" % number)
    for key in (KEY, "notify~openstack~other"):
        with pytest.raises(oslo_messaging.MessageDeliveryFailure, match="notification_backlog_size"):
            backlog.send(key, b"5")
    listeners.listening = {""}
    assert len(arrived(listeners, 5)) == 5


def test_notification_that_may_have_arrived_is_not_sent_again(
    backlog: Backlog, listeners: Listeners, caplog: pytest.LogCaptureFixture
) -> None:
    listeners.problem = DeliveryUnknown("no answer")
    backlog.send(KEY, b"1")
    assert [(record.levelname, len(backlog)) for record in caplog.records] == [("WARNING", 0)]


def test_notification_is_sent_again_if_its_listener_stopped(backlog: Backlog, listeners: Listeners) -> None:
    lost = DeliveryUnknown("the process is gone")
    lost.__cause__ = ServerLost("it ended")
    listeners.problem = lost
    backlog.send(KEY, b"1")
    listeners.listening, listeners.problem = {""}, None
    assert arrived(listeners, 1) == [("", b"1")]


def test_notification_is_kept_during_an_outage_of_the_registry(backlog: Backlog, listeners: Listeners) -> None:
    listeners.problem = exceptions.MatchMakerException("away")
    backlog.send(KEY, b"1")
    listeners.listening, listeners.problem = {""}, None
    assert arrived(listeners, 1) == [("", b"1")]


def test_retries_survive_any_error(backlog: Backlog, listeners: Listeners, caplog: pytest.LogCaptureFixture) -> None:
    backlog.send(KEY, b"1")
    listeners.problem = OSError("too many open files")
    poll(lambda: any(record.exc_info for record in caplog.records), "the error is logged")
    listeners.listening, listeners.problem = {""}, None
    assert arrived(listeners, 1) == [("", b"1")]


@pytest.mark.usefixtures("no_retries")
def test_close_retries_once(backlog: Backlog, listeners: Listeners) -> None:
    backlog.send(KEY, b"1")
    listeners.listening = {""}
    assert ended(on_thread(backlog.close))
    assert listeners.received == [("", b"1")]


def test_loss_at_close_is_logged(backlog: Backlog, listeners: Listeners, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        backlog.send(KEY, b"secret")
    backlog.close()
    backlog.close()
    (record,) = caplog.records
    assert (record.levelname, record.args) == ("WARNING", (3,))
    with pytest.raises(oslo_messaging.MessageDeliveryFailure):
        backlog.send(KEY, b"4")


def test_close_is_bounded(
    backlog: Backlog, listeners: Listeners, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.01)
    for number in range(5):
        backlog.send(KEY, b"%d" % number)
    begun, closing, tried = threading.Event(), threading.Event(), []

    def be_silent(message: Outgoing) -> None:
        tried.append(message)
        begun.set()
        assert closing.wait(10)
        threading.Event().wait(0.02)
        raise DeliveryUnknown("silence")

    monkeypatch.setattr(listeners, "cast", be_silent)
    assert begun.wait(10)
    thread = on_thread(backlog.close)
    closing.set()
    assert ended(thread)
    assert len(tried) < 3
    assert caplog.records[-1].levelname == "WARNING"


def test_notification_for_current_listeners_is_not_kept(backlog: Backlog, listeners: Listeners) -> None:
    listeners.known = set()
    backlog.send(KEY, b"1", keep_without_listeners=False)
    assert len(backlog) == 0
    listeners.listening = listeners.known = {"", "audit"}
    backlog.send(KEY, b"2", keep_without_listeners=False)
    assert listeners.received == [("", b"2"), ("audit", b"2")]


def test_notification_for_current_listeners_is_kept_for_a_pool_that_does_not_answer(
    backlog: Backlog, listeners: Listeners
) -> None:
    listeners.known, listeners.listening = {"audit", "billing"}, {"audit"}
    backlog.send(KEY, b"1", keep_without_listeners=False)
    assert listeners.received == [("audit", b"1")]
    listeners.listening = {"audit", "billing"}
    assert arrived(listeners, 2) == [("audit", b"1"), ("billing", b"1")]
