"""ManagerClient: failures of the manager or of its broker are errors of the library."""

from __future__ import annotations

from typing import Any

import kombu.exceptions
import oslo_messaging
import pytest

from cells import exceptions
from cells.rpc import MessageDeliveryFailure, Timeout
from cells.rpc.manager_client import ManagerClient


class Client:
    """Stands for oslo.messaging's client."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.prepared: list[dict[str, Any]] = []
        self.answer: Any = {"result": 1}

    def prepare(self, **options: Any) -> Client:
        self.prepared.append(options)
        return self

    def call(self, ctxt: Any, method: str, **arguments: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    cast = call


@pytest.fixture
def manager(transport: Any) -> ManagerClient:
    manager = ManagerClient(transport)
    manager._client = Client(transport)
    return manager


def test_the_target_is_the_topic_of_the_manager(transport: Any) -> None:
    transport.conf.set_override("topic", "other-cells", group="cells")
    transport.conf.set_override("exchange", "other", group="cells")
    try:
        target = ManagerClient(transport)._client.target
    finally:
        transport.conf.clear_override("topic", group="cells")
        transport.conf.clear_override("exchange", group="cells")
    assert (target.topic, target.exchange, target.namespace) == ("other-cells", "other", "services")


def test_a_request_is_prepared_with_its_options(manager: ManagerClient) -> None:
    assert manager.ask({}, "call", {}, timeout_seconds=5.0, monitor_seconds=4.0, retry=2, server="h") == {"result": 1}
    assert manager._client.prepared == [{"timeout": 5.0, "call_monitor_timeout": 4.0, "retry": 2, "server": "h"}]


@pytest.mark.parametrize(
    ("problem", "kind", "text"),
    [
        (oslo_messaging.MessagingTimeout("late"), Timeout, "is cells-manager running"),
        (oslo_messaging.MessageDeliveryFailure("away"), MessageDeliveryFailure, "away"),
        (kombu.exceptions.OperationalError("away"), MessageDeliveryFailure, "away"),
        (oslo_messaging.RemoteError("NoSuchMethod", "no"), exceptions.ConfigurationError, "NoSuchMethod"),
    ],
)
def test_errors_of_the_transport_become_errors_of_the_library(
    manager: ManagerClient, problem: Any, kind: Any, text: str
) -> None:
    manager._client.answer = problem
    with pytest.raises(kind, match=text) as caught:
        manager.ask({}, "call", {}, timeout_seconds=5.0)
    assert caught.value.__cause__ is problem


@pytest.mark.parametrize(
    ("reason", "may_arrive"), [(TimeoutError("timed out"), True), (ConnectionRefusedError(), None)]
)
def test_a_request_that_was_not_confirmed_may_arrive(
    manager: ManagerClient, reason: Exception, may_arrive: bool | None
) -> None:
    manager._client.answer = oslo_messaging.MessageDeliveryFailure("not taken in time")
    manager._client.answer.__cause__ = reason
    with pytest.raises(MessageDeliveryFailure) as caught:
        manager.ask({}, "call", {}, timeout_seconds=5.0)
    assert caught.value.may_arrive is may_arrive


@pytest.mark.parametrize("answer", [None, 7, {}, []])
def test_a_malformed_answer_is_an_error(manager: ManagerClient, answer: Any) -> None:
    manager._client.answer = answer
    with pytest.raises(exceptions.MalformedMessage):
        manager.ask({}, "call", {}, timeout_seconds=5.0)


@pytest.mark.parametrize(
    "problem", [oslo_messaging.MessageDeliveryFailure("away"), kombu.exceptions.OperationalError("away")]
)
def test_a_lost_cast_is_no_error_and_is_not_retried(manager: ManagerClient, problem: Exception) -> None:
    manager._client.answer = problem
    manager.tell({}, "multicall_stop", "host-1", {})
    assert manager._client.prepared == [{"server": "host-1", "retry": 0}]
