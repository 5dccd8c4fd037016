"""Attempts to publish a message: a later one publishes the time that is left by then (case C4)."""

from __future__ import annotations

import datetime
import json
from typing import Any

from cells.transport import attempts
from tests.cases import each


def envelope(**arguments: Any) -> dict[str, str]:
    return {"oslo.version": "2.0", "oslo.message": json.dumps({"method": "call", "args": arguments})}


def arguments_in(message: Any) -> Any:
    return json.loads(message["oslo.message"])["args"]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@each(("waited", "left"), [(0.0, 4.0), (3.0, 1.0), (9.0, attempts.SHORTEST_SECONDS)])
def test_a_request_carries_the_time_that_is_left(waited: float, left: float) -> None:
    """A first attempt may be late, because it opens the connection."""
    clock = Clock()
    request = attempts.of_request({"cell_name": "east", "timeout": 4.0}, clock)
    clock.now += waited
    message = request.renewed(envelope(cell_name="east", timeout=4.0))
    assert arguments_in(message) == {"cell_name": "east", "timeout": left}


def test_each_later_attempt_is_written_anew() -> None:
    clock = Clock()
    request = attempts.of_request({"timeout": 4.0}, clock)
    for _ in range(3):
        sent = request.renewed(envelope(timeout=4.0))
        assert arguments_in(sent) == {"timeout": 104.0 - clock.now}
        clock.now += 1.0


def test_arguments_are_written_as_oslo_messaging_writes_them() -> None:
    clock = Clock()
    request = attempts.of_request({"since": datetime.datetime(2026, 1, 2)}, clock)  # as services do
    clock.now += 5.0
    assert arguments_in(request.renewed(envelope(since="?"))) == {"since": "2026-01-02T00:00:00.000000"}


def test_a_request_without_a_timeout_stays_as_it_is() -> None:
    clock = Clock()
    request = attempts.of_request({"cell_name": "east"}, clock)
    clock.now += 5.0
    assert request.renewed(envelope(cell_name="east")) == envelope(cell_name="east")


def test_attempts_belong_to_the_block_that_sends() -> None:
    with attempts.of_request({}) as sending:
        assert attempts.Attempts.current() is sending
    assert attempts.Attempts.current() is None
