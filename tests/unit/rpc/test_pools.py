from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from cells import exceptions
from cells.rpc.context import current_context
from cells.rpc.expected import ClientException
from cells.rpc.pools import EventDispatcher, queue_name
from cells.services.envelope import serialize_msg

MESSAGE = {"method": "made", "args": {"number": 1}}


class Incoming(NamedTuple):
    message: Any
    ctxt: Mapping[str, Any] = {"user_id": "ada"}  # no test changes it


def dispatched(payload: Any, error: Exception | None = None) -> list[Any]:
    """Return the messages that a handler gets for an event with this payload."""
    handled = []

    def handle(ctxt: Mapping[str, Any], message: dict[str, Any]) -> None:
        handled.append((ctxt, message))
        if error is not None:
            raise error

    EventDispatcher("billing of changes", handle).dispatch(Incoming({"payload": payload}))
    return handled


@pytest.mark.parametrize("payload", [MESSAGE, serialize_msg(MESSAGE)], ids=["bare", "in-envelope"])
def test_event_is_opened(payload: Any) -> None:
    assert dispatched(payload) == [({"user_id": "ada"}, MESSAGE)]
    assert current_context() is None


def test_args_may_be_missing() -> None:
    assert dispatched({"method": "made"})[0][1] == {"method": "made", "args": {}}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({**serialize_msg(MESSAGE), "oslo.version": "3.0"}, "'3.0'"),
        ({**serialize_msg(MESSAGE), "oslo.version": "2.1"}, "'2.1'"),
        ({**serialize_msg(MESSAGE), "oslo.message": "{"}, "no JSON"),
        (None, "None"),
        ([MESSAGE], "method"),
        ({"method": 3}, "method"),
        ({"method": "made", "args": [1]}, "args"),
    ],
)
def test_an_invalid_event_is_logged_in_one_line(payload: Any, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    assert dispatched(payload) == []
    ((name, level, line),) = caplog.record_tuples
    assert (name, level) == ("cells.rpc.pools", logging.WARNING)
    assert line.startswith("An event for the pool billing of changes is dropped: ")
    assert reason in line


def test_a_message_that_is_no_object_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    EventDispatcher("pool", lambda ctxt, message: None).dispatch(Incoming("text"))
    assert "is dropped" in caplog.text


def test_an_error_of_the_handler_is_one_line_and_a_traceback_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    dispatched(MESSAGE, ValueError("two\nlines"))
    line, where = caplog.records
    assert line.levelno == logging.WARNING
    assert line.getMessage() == "The event 'made' is lost to the pool billing of changes: ValueError: two lines"
    assert line.exc_info is None
    assert where.levelno == logging.DEBUG
    assert where.exc_info is not None


def test_an_expected_error_is_not_logged_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    dispatched(MESSAGE, ClientException(ValueError("expected")))
    assert caplog.records == []


def test_pools_differ_by_exchange_and_topic() -> None:
    assert queue_name("openstack", "changes", "billing") == "events/openstack/changes/billing"
    with pytest.raises(exceptions.InvalidArguments, match="1 to 255"):
        queue_name("openstack", "changes", "x" * 240)
