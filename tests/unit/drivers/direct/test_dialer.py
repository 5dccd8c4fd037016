"""Dial: however long an address leads nowhere, a manager that comes back is found within seconds."""

from __future__ import annotations

import heapq
import itertools
import socket
from collections.abc import Callable

import pytest

from cells.drivers.direct import dialer
from cells.drivers.direct.connection import CONNECT_SECONDS
from cells.drivers.direct.dialer import LOOKUP_SECONDS, Dial, Dialing
from cells.drivers.direct.link_settings import LinkSettings
from cells.drivers.direct.loop import Alarm
from cells.exceptions import ConfigurationError
from cells.limited_log import REMINDER_SECONDS
from cells.transport import socket_address
from cells.transport.socket_address import SocketAddress
from tests.cases import each
from tests.clock import Clock

WAIT_SECONDS = LinkSettings().reconnect_seconds
FIRST, SECOND = (SocketAddress(socket.AF_INET, (host, 5680)) for host in ("10.0.0.5", "10.0.0.6"))


class Network:
    """Loop, name server and peers of one dial, in time that the test lets pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self._works: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        #: the time and the address of each attempt
        self.attempts: list[tuple[float, SocketAddress]] = []
        self.failures: list[str] = []
        self.found: list[SocketAddress] = [FIRST]
        self.lookup_seconds = 0.0
        #: since when the peer takes connections
        self.back_at = float("inf")
        self.connected_at = 0.0
        dialing = Dialing(self._resolve, self._connect, self.clock, lambda *failure: self.failures.append(failure[1]))
        monkeypatch.setattr(socket_address, "resolve", self._look_up)
        self.dial = Dial("east", "east.example.org:5680", self, dialing)  # type: ignore[arg-type]  # stands for a loop

    def now(self) -> float:
        return self.clock()

    def call(self, work: Callable[[], None]) -> None:
        self.at(self.clock(), work)

    def add(self, alarm: Alarm, due_at: float) -> None:
        alarm.due_at = due_at
        self.at(due_at, lambda: self._ring(alarm, due_at))

    def _ring(self, alarm: Alarm, due_at: float) -> None:
        if alarm.due_at == due_at:
            alarm.due_at = float("inf")
            alarm.ring()

    def at(self, due_at: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._works, (due_at, next(self._order), work))

    def pass_time(self, seconds: float) -> None:
        """Do all that is due within so many seconds."""
        until = self.clock() + seconds
        while self._works and self._works[0][0] <= until:
            due_at, _, work = heapq.heappop(self._works)
            self.clock.now = max(self.clock.now, due_at)
            work()
        self.clock.now = until

    def _resolve(self, look_up: Callable[[], None]) -> None:
        self.at(self.clock() + self.lookup_seconds, look_up)

    def _look_up(self, _text: str) -> list[SocketAddress]:
        if not self.found:
            raise ConfigurationError("no such name")
        return self.found

    def _connect(self, dial: Dial, address: SocketAddress) -> None:
        """Lose the packets of an attempt; the peer sees only those of one that begins when it is back."""
        now = self.clock()
        self.attempts.append((now, address))
        if now >= self.back_at:
            self.connected_at = now
            dial.connected()
        else:
            self.at(now + CONNECT_SECONDS, lambda: dial.ended(is_satisfied=False))


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


@each("back_after", [0.0, 0.5, 3.0, 10.0, 20.0, WAIT_SECONDS * 0.8])
def test_a_peer_that_comes_back_is_found_while_messages_wait(back_after: float) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        network = Network(monkeypatch)
        network.back_at = network.now() + back_after
        network.pass_time(WAIT_SECONDS)
        assert 0.0 <= network.connected_at - network.back_at <= CONNECT_SECONDS + dialer.LONGEST_PAUSE_SECONDS
        assert not network.dial.is_connecting


def test_an_attempt_is_under_way_until_it_has_ended(network: Network) -> None:
    network.pass_time(0.0)
    assert network.dial.is_connecting
    network.pass_time(CONNECT_SECONDS)
    assert not network.dial.is_connecting


def test_a_name_server_that_hangs_does_not_hide_a_peer_that_was_known(network: Network) -> None:
    network.pass_time(1.0)
    network.found, network.lookup_seconds = [SECOND], 25.0
    began_at, network.back_at = network.now(), network.now() + 10.0
    network.pass_time(WAIT_SECONDS)
    limit = CONNECT_SECONDS + dialer.LONGEST_PAUSE_SECONDS + LOOKUP_SECONDS
    assert network.back_at <= network.connected_at <= network.back_at + limit
    assert {address for at, address in network.attempts if at > began_at} == {FIRST}


def test_a_name_that_is_not_found_any_more_leads_where_it_led(network: Network) -> None:
    network.pass_time(1.0)
    network.found, network.back_at = [], network.now() + 5.0
    network.pass_time(WAIT_SECONDS)
    assert network.connected_at
    assert network.failures


def test_a_new_address_is_used_as_soon_as_it_is_known(network: Network) -> None:
    network.pass_time(1.0)
    network.found, network.lookup_seconds = [SECOND], LOOKUP_SECONDS / 2
    network.pass_time(CONNECT_SECONDS + dialer.LONGEST_PAUSE_SECONDS)
    assert network.attempts[-1][1] == SECOND


def test_an_unknown_name_is_looked_up_again_and_again(network: Network) -> None:
    network.found = []
    network.pass_time(10.0)
    assert len(network.failures) > 4
    assert network.attempts == []
    network.found, network.back_at = [FIRST], network.now()
    network.pass_time(dialer.LONGEST_PAUSE_SECONDS)
    assert network.connected_at


def test_an_address_that_leads_nowhere_is_a_line_a_reminder_and_a_line_at_its_end(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", dialer.LOG.name)
    network.found = []
    network.pass_time(REMINDER_SECONDS / 2)
    assert len(network.failures) > 100
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    network.pass_time(REMINDER_SECONDS)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    network.found = [FIRST]
    network.pass_time(REMINDER_SECONDS / 2)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2 + ["INFO"]


def test_an_address_that_takes_no_connection_is_a_line_a_minute_at_most(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(100):
        network.dial.failed(ConfigurationError(f"reason {number}"))
        network.clock.advance(1.0)
    assert len(caplog.records) == 2
    network.dial.connected()
    network.dial.failed(ConfigurationError("reason"))
    assert len(caplog.records) == 3
