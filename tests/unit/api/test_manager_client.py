"""The client of the manager fails fast while the manager is away."""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import Any

import pytest

from cells import exceptions
from cells.api.errors import ApiError
from cells.api.manager_client import AWAY_SECONDS, PRESENT_SECONDS, ManagerClient
from cells.context import RequestContext
from tests.clock import Clock
from tests.unit.api.conftest import Manager, connection_to
from tools.polling import poll

CTXT = RequestContext()


def names(manager: Manager) -> list[str]:
    return [request[0] for request in manager.requests]


def call(client: ManagerClient) -> Any:
    return client.ask(CTXT, lambda api: api.call(CTXT, "east", "ping"))


def test_the_status_is_asked_once_a_second() -> None:
    manager, clock = Manager({"call": 1}), Clock()
    client = ManagerClient(lambda: connection_to(manager), "api", clock)
    assert [call(client), call(client)] == [1, 1]
    clock.advance(PRESENT_SECONDS)
    call(client)
    assert names(manager) == ["status", "call", "call", "status", "call"]


def test_a_manager_that_is_away_is_asked_again_after_a_while() -> None:
    manager, clock = Manager({"status": exceptions.ManagerTimeout("away"), "call": 1}), Clock()
    client = ManagerClient(lambda: connection_to(manager), "api", clock)
    for _ in range(3):
        with pytest.raises(ApiError) as caught:
            call(client)
        assert caught.value.status is HTTPStatus.SERVICE_UNAVAILABLE
    assert names(manager) == ["status"]
    clock.advance(AWAY_SECONDS)
    manager.answers["status"] = {"name": "api"}
    assert call(client) == 1


def test_a_broker_that_cannot_be_opened_is_a_problem_of_the_service() -> None:
    def connect() -> Any:
        raise exceptions.ConfigurationError("no such driver")

    with pytest.raises(ApiError) as caught:
        call(ManagerClient(connect))
    assert caught.value.status is HTTPStatus.SERVICE_UNAVAILABLE


def test_the_manager_of_another_cell_is_not_used() -> None:
    manager = Manager({"status": {"name": "other"}, "call": 1})
    with pytest.raises(ApiError) as caught:
        call(ManagerClient(lambda: connection_to(manager), "api"))
    assert caught.value.status is HTTPStatus.SERVICE_UNAVAILABLE
    assert names(manager) == ["status"]


def test_the_connection_is_closed_once() -> None:
    manager = Manager({"call": 1})
    client = ManagerClient(lambda: connection_to(manager), "api")
    client.close()
    call(client)
    client.close()
    client.close()
    assert names(manager) == ["status", "call", "close"]


def test_a_manager_that_goes_away_ends_the_requests_that_wait_for_it() -> None:
    manager, clock, ended = Manager({}), Clock(), threading.Event()

    def wait(_api: Any) -> bool:
        manager.answers["status"] = exceptions.ManagerTimeout("away")
        clock.advance(PRESENT_SECONDS)
        return ended.wait(20)

    client = ManagerClient(lambda: connection_to(manager), "api", clock, check_seconds=0.01)
    with pytest.raises(ApiError) as caught:
        client.ask(CTXT, wait)
    assert caught.value.status is HTTPStatus.SERVICE_UNAVAILABLE
    ended.set()


def test_a_slow_operation_is_waited_for_while_the_manager_answers() -> None:
    manager, clock = Manager({}), Clock()

    def wait(_api: Any) -> str:
        before = len(manager.requests)
        clock.advance(PRESENT_SECONDS)
        poll(lambda: len(manager.requests) > before, "the manager is asked again")
        return "done"

    client = ManagerClient(lambda: connection_to(manager), "api", clock, check_seconds=0.01)
    assert client.ask(CTXT, wait) == "done"
