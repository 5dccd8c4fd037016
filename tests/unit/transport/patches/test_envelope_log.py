"""Patch envelope_log: a message with an unreadable envelope is one line in the log, and counted."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from oslo_messaging._drivers import impl_rabbit

from cells.transport.patches.envelope_log import EnvelopeLog


class Body:
    """A message whose envelope cannot be read."""

    def __init__(self) -> None:
        self.rejected = 0

    def reject(self) -> None:
        self.rejected += 1


@pytest.fixture
def refused() -> Iterator[list[str]]:
    """The refused messages that the applied patch reports."""
    reports: list[str] = []
    patch = EnvelopeLog()
    patch.on_refused = lambda: reports.append("refused")
    assert patch.apply()
    yield reports
    logging.getLogger("oslo.messaging._drivers.impl_rabbit").removeFilter(patch.shorten)


def consume(body: object) -> None:
    """Have oslo.messaging's consumer handle a message."""
    consumer = impl_rabbit.Consumer.__new__(impl_rabbit.Consumer)
    consumer.rabbit_stream_fanout = False
    consumer.queue = type("Queue", (), {"channel": None})()

    def callback(_: object) -> None:
        raise ValueError("no\nenvelope")

    consumer.callback = callback
    consumer._callback(body)


def test_an_unreadable_envelope_is_one_counted_line(refused: list[str], caplog: pytest.LogCaptureFixture) -> None:
    body = Body()
    body.payload = body.body = ""  # type: ignore[attr-defined]  # read by the library
    consume(body)
    (record,) = caplog.records
    assert (record.levelname, record.exc_info, body.rejected) == ("WARNING", None, 1)
    assert "\n" not in record.getMessage()
    assert "envelope" in record.getMessage()
    assert refused == ["refused"]


def test_other_records_pass_unchanged(refused: list[str], caplog: pytest.LogCaptureFixture) -> None:
    impl_rabbit.LOG.error("Connection failed")
    assert [record.getMessage() for record in caplog.records] == ["Connection failed"]
    assert refused == []
