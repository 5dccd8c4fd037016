"""Notifications that nobody listens for yet: kept in order, bounded, and given up in bounded time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
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
    """Stands for a sender and its peers: who listens is what the test says."""

    def __init__(self) -> None:
        self.peers = self
        self.listening: set[str] = set()
        self.known: set[str] = {""}
        self.received: list[tuple[str, bytes]] = []
        self.problem: Exception | None = None

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
            raise oslo_messaging.MessageDeliveryFailure("nobody took it")
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


def arrived(listeners: Listeners, count: int) -> list[tuple[str, bytes]]:
    poll(lambda: len(listeners.received) >= count, f"{count} arrive", pause_seconds=0.002)
    return listeners.received


def test_what_somebody_listens_for_is_delivered_at_once(backlog: Backlog, listeners: Listeners) -> None:
    listeners.listening = listeners.known = {"", "audit"}
    backlog.send(KEY, b"1")
    assert listeners.received == [("", b"1"), ("audit", b"1")]
    assert backlog._thread is None


def test_what_waits_comes_in_order(backlog: Backlog, listeners: Listeners) -> None:
    for number in range(5):
        backlog.send(KEY, b"%d" % number)
    listeners.listening = {""}
    assert arrived(listeners, 5) == [("", b"%d" % number) for number in range(5)]
    poll(lambda: not backlog._kept, "nothing waits", pause_seconds=0.002)
    backlog.send(KEY, b"5")
    assert listeners.received[-1] == ("", b"5")


def test_what_waits_for_one_topic_keeps_no_other_waiting(backlog: Backlog, listeners: Listeners) -> None:
    backlog.send(KEY, b"1")
    listeners.listening = {""}
    backlog.send("notify~openstack~other", b"2")
    assert ("", b"2") in listeners.received


def test_newer_one_does_not_overtake(backlog: Backlog, listeners: Listeners, monkeypatch: pytest.MonkeyPatch) -> None:
    backlog.send(KEY, b"1")
    with backlog._lock:
        listeners.listening = {""}
    backlog.send(KEY, b"2")
    assert arrived(listeners, 2) == [("", b"1"), ("", b"2")]


def test_pool_gets_each_once_and_in_order_when_it_comes(backlog: Backlog, listeners: Listeners) -> None:
    listeners.known, listeners.listening = {"", "audit"}, {""}
    for number in range(3):
        backlog.send(KEY, b"%d" % number)
    assert arrived(listeners, 3) == [("", b"0"), ("", b"1"), ("", b"2")]
    listeners.listening = {"", "audit"}
    assert arrived(listeners, 6)[3:] == [("audit", b"0"), ("audit", b"1"), ("audit", b"2")]


def test_pool_that_is_gone_keeps_no_other_waiting(
    backlog: Backlog, listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_INTERVAL_SECONDS", 600)
    listeners.known, listeners.listening = {"", "audit"}, {""}
    for number in range(5):
        backlog.send(KEY, b"%d" % number)
    assert [pool for pool, _ in listeners.received] == [""] * 5
    listeners.known = {""}
    backlog.send(KEY, b"5")
    assert listeners.received[5:] == [("", b"5")]
    listeners.known = listeners.listening = {"", "audit"}
    backlog._retry_all()
    assert listeners.received[6:] == [("audit", b"%d" % number) for number in range(5)]


def test_pool_that_comes_during_a_look_gets_nothing_before_what_is_older(
    backlog: Backlog, listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_INTERVAL_SECONDS", 600)
    listeners.known, listeners.listening = {"", "audit"}, {""}
    for number in range(2):
        backlog.send(KEY, b"%d" % number)
    deliver = backlog._deliver

    def deliver_and_have_it_come(*arguments: object) -> object:
        left = deliver(*arguments)  # type: ignore[arg-type]
        listeners.listening = {"", "audit"}
        return left

    monkeypatch.setattr(backlog, "_deliver", deliver_and_have_it_come)
    backlog._retry_all()
    backlog._retry_all()
    assert [body for pool, body in listeners.received if pool == "audit"] == [b"0", b"1"]
    assert [body for pool, body in listeners.received if pool == ""] == [b"0", b"1"]


def test_bounded(backlog: Backlog, listeners: Listeners) -> None:
    for number in range(5):
        backlog.send(KEY, b"%d" % number)
    for key in (KEY, "notify~openstack~other"):
        with pytest.raises(oslo_messaging.MessageDeliveryFailure, match=r"5 wait already.*notification_backlog_size"):
            backlog.send(key, b"5")
    listeners.listening = {""}
    assert len(arrived(listeners, 5)) == 5


def test_what_may_have_arrived_is_not_sent_again(
    backlog: Backlog, listeners: Listeners, caplog: pytest.LogCaptureFixture
) -> None:
    listeners.problem = DeliveryUnknown("no answer")
    backlog.send(KEY, b"1")
    assert "may be lost: no answer" in caplog.text
    assert not backlog._kept


def test_sent_again_when_its_listener_is_gone(backlog: Backlog, listeners: Listeners) -> None:
    lost = DeliveryUnknown("the process is gone")
    lost.__cause__ = ServerLost("it ended")
    listeners.problem = lost
    backlog.send(KEY, b"1")
    listeners.listening, listeners.problem = {""}, None
    assert arrived(listeners, 1) == [("", b"1")]


def test_kept_while_the_registry_is_away(backlog: Backlog, listeners: Listeners) -> None:
    listeners.problem = exceptions.MatchMakerException("away")
    backlog.send(KEY, b"1")
    listeners.listening, listeners.problem = {""}, None
    assert arrived(listeners, 1) == [("", b"1")]


def test_unexpected_error_does_not_end_the_deliveries(
    backlog: Backlog, listeners: Listeners, caplog: pytest.LogCaptureFixture
) -> None:
    backlog.send(KEY, b"1")
    listeners.problem = OSError("too many open files")
    poll(lambda: "could not be delivered" in caplog.text, "it happens", pause_seconds=0.002)
    listeners.listening, listeners.problem = {""}, None
    assert arrived(listeners, 1) == [("", b"1")]


def test_closing_tries_once_more(backlog: Backlog, listeners: Listeners, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_INTERVAL_SECONDS", 600)
    backlog.send(KEY, b"1")
    listeners.listening = {""}
    assert ended(on_thread(backlog.close))
    assert listeners.received == [("", b"1")]


def test_closing_says_what_is_lost(backlog: Backlog, listeners: Listeners, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        backlog.send(KEY, b"secret")
    backlog.close()
    backlog.close()
    assert [record.getMessage() for record in caplog.records] == [
        "3 notifications that nobody has listened for are lost."
    ]
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match="closed"):
        backlog.send(KEY, b"4")


def test_closing_takes_bounded_time(
    backlog: Backlog, listeners: Listeners, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.01)
    for number in range(5):
        backlog.send(KEY, b"%d" % number)
    begun, tried = threading.Event(), []

    def be_silent(message: Outgoing) -> None:
        tried.append(message)
        begun.set()
        assert backlog._closed.wait(10)
        threading.Event().wait(0.02)
        raise DeliveryUnknown("silence")

    monkeypatch.setattr(listeners, "cast", be_silent)
    assert begun.wait(10)
    assert ended(on_thread(backlog.close))
    assert len(tried) < 3
    assert "are lost" in caplog.text


def test_what_is_for_those_who_listen_now_is_not_kept_for_others(backlog: Backlog, listeners: Listeners) -> None:
    listeners.known = set()
    backlog.send(KEY, b"1", keep_without_listeners=False)
    assert (list(backlog._kept), backlog._thread) == ([], None)
    listeners.listening = listeners.known = {"", "audit"}
    backlog.send(KEY, b"2", keep_without_listeners=False)
    assert listeners.received == [("", b"2"), ("audit", b"2")]


def test_what_is_for_those_who_listen_waits_for_a_pool_that_does_not_answer(
    backlog: Backlog, listeners: Listeners
) -> None:
    listeners.known, listeners.listening = {"audit", "billing"}, {"audit"}
    backlog.send(KEY, b"1", keep_without_listeners=False)
    assert listeners.received == [("audit", b"1")]
    listeners.listening = {"audit", "billing"}
    assert arrived(listeners, 2) == [("audit", b"1"), ("billing", b"1")]
