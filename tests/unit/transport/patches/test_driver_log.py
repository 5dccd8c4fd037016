"""Patch driver_log: duplicates are one line at INFO, full pools warn once a minute, links report their errors."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator

import oslo_messaging
import pytest
from oslo_messaging._drivers import amqpdriver, impl_rabbit, pool
from oslo_messaging._drivers import common as rpc_common

from cells import conf as cells_conf
from cells.transport import open_transport
from cells.transport.link import open_link
from cells.transport.patches.driver_log import INTERVAL_SECONDS, DriverLog
from tests.cases import each
from tests.clock import Clock
from tests.unit.transport.patches.kombu_broker import Broker


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The clock of an applied patch."""
    clock = Clock()
    patch = DriverLog(clock)
    assert patch.apply()
    yield clock
    amqpdriver.LOG.removeFilter(patch.shorten)
    pool.LOG.logger.removeFilter(patch.limit)
    impl_rabbit.LOG.logger.removeFilter(patch.lower)


class Duplicates:
    """The memory of a listener that has seen every message."""

    def check_duplicate_message(self, _: object) -> str:
        raise rpc_common.DuplicateMessageError(msg_id="7")


@pytest.mark.usefixtures("clock")
def test_a_duplicate_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    listener = amqpdriver.AMQPListener.__new__(amqpdriver.AMQPListener)
    listener.msg_id_cache = Duplicates()
    listener({"_msg_id": "7"})
    amqpdriver.LOG.error("another error")
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("INFO", None), ("ERROR", None)]
    assert "7" in caplog.messages[0]


@each(("opened", "levels"), [(open_link, []), (open_transport, ["ERROR"])])
@pytest.mark.usefixtures("clock")
def test_a_link_reports_its_connection_itself(
    caplog: pytest.LogCaptureFixture, opened: Callable[..., object], levels: list[str]
) -> None:
    caplog.clear()
    caplog.set_level(logging.INFO)
    broker = Unreachable()
    arguments = (10,) if opened is open_link else ()
    connection = broker.connect(opened(cells_conf.load([]), "rabbit://user:secret@host/a", *arguments))
    connection.max_retries = 1
    connection.ensure_connection()
    assert [record.levelname for record in caplog.records] == levels


@pytest.mark.usefixtures("clock")
def test_an_error_that_is_raised_too_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    connection = Unreachable().connect(open_transport(cells_conf.load([]), "rabbit://user:secret@host/a"))
    for retry in (None, 2):
        with pytest.raises(oslo_messaging.MessageDeliveryFailure):
            connection.ensure(lambda: None, retry=retry)
    (message,) = (record.getMessage() for record in caplog.records if record.levelname == "ERROR")
    assert "after 2 tries" in message


def test_a_broker_that_is_away_is_one_line_a_minute_for_all_connections(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    connection = Unreachable().connect(open_transport(cells_conf.load([]), "rabbit://user:secret@host/a"))
    connection._initial_pid = os.getpid()
    connection.max_retries = 1
    away = "[%(connection_id)s] AMQP server on %(hostname)s:%(port)s is unreachable: why"
    for seconds in (0.0, 1.0, INTERVAL_SECONDS - 2, 1.0):
        clock.advance(seconds)
        for number in range(3):
            connection.ensure_connection()
            with pytest.raises(oslo_messaging.MessageDeliveryFailure):
                connection.ensure(lambda: None, retry=2)
            for host in ("h", "other"):
                impl_rabbit.LOG.error(away, {"connection_id": number, "hostname": host, "port": 1})
    one_minute = ["Connection failed", "Unable to connect to AMQP server on h:1", "[0] AMQP server on other:1"]
    assert len(caplog.messages) == 6
    assert all(line.startswith(begin) for line, begin in zip(caplog.messages, one_minute * 2, strict=True))


class Unreachable(Broker):
    """A broker that refuses each connection."""

    def channel(self) -> Broker:
        return self

    def ensure_connection(self, errback: Callable[[Exception, float], None], **_: object) -> None:
        errback(OSError(111, "Connection refused"), 1.0)

    def autoretry(self, method: Callable[[object], None], **_: object) -> Callable[[], object]:
        def refuse() -> None:
            raise OSError(111, "Connection refused")

        return refuse


class Empty(pool.Pool):  # type: ignore[misc]  # oslo.messaging has no types
    """A pool without connections, whose users do not wait."""

    def create(self, retry: int | None = None) -> object:
        return object()


def test_full_pools_warn_once_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    full = Empty(max_size=1)
    full.get()
    full._cond = _NoWait()
    for seconds in (0.0, 1.0, INTERVAL_SECONDS):
        clock.advance(seconds)
        with pytest.raises(TimeoutError):
            full.get()
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2


class _NoWait:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def wait(self) -> None:
        raise TimeoutError
