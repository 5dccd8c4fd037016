"""Patch driver_log: duplicates are one line at INFO, and full pools warn once a minute."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from oslo_messaging._drivers import amqpdriver, pool
from oslo_messaging._drivers import common as rpc_common

from cells.transport.patches.driver_log import INTERVAL_SECONDS, DriverLog
from tests.clock import Clock


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The clock of an applied patch."""
    clock = Clock()
    patch = DriverLog(clock)
    assert patch.apply()
    yield clock
    amqpdriver.LOG.removeFilter(patch.shorten)
    pool.LOG.logger.removeFilter(patch.limit)


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
