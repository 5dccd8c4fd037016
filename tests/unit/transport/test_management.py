"""The client of the management API: what it reads, and answers that are wrong, missing or late."""

from __future__ import annotations

from typing import Any

import pytest

from cells.transport.management import HeldQueue, Login, ManagementAPI, ManagementError
from tests.cases import each
from tests.unit.management_server import LOGIN, PASSWORD, USER, serve

NO_LOGIN = Login("guest", "guest")
QUEUE = {
    "name": "cells",
    "type": "quorum",
    "durable": True,
    "auto_delete": False,
    "arguments": {"x-queue-type": "quorum"},
    "effective_policy_definition": {"dead-letter-exchange": "dead"},
    "messages": 3,
    "consumers": 1,
}


def api(url: str, login: Login = NO_LOGIN, seconds: float = 10.0) -> ManagementAPI:
    return ManagementAPI(url, login, seconds)


def test_the_queues_of_a_virtual_host() -> None:
    # Erlang writes an empty object as a list, and a new queue has no counts yet.
    new = {"name": "new", "durable": False, "auto_delete": True, "arguments": [], "effective_policy_definition": []}
    with serve({"/api/queues/a%2Fb": [QUEUE, new]}) as server:
        first, second = api(server.url()).queues("a/b")
    assert first == HeldQueue(
        "cells", "quorum", True, False, {"x-queue-type": "quorum"}, {"dead-letter-exchange": "dead"}, 3, 1
    )
    assert first.setting("dead-letter-exchange") == "dead"
    assert second == HeldQueue("new", "classic", False, True, {}, {}, 0, 0)
    assert second.setting("expires") is None


def test_a_url_without_a_login_and_with_a_path() -> None:
    with serve({"/mq/api/queues/v": []}) as server:
        url = f"{server.url('')}/mq/"
        assert api(url, Login(USER, PASSWORD)).queues("v") == []
        with pytest.raises(ManagementError, match="guest"):
            api(url).queues("v")


def test_the_bindings_of_an_exchange() -> None:
    path = "/api/exchanges/v/dead/bindings/source"
    rows = [
        {"destination": "letters", "destination_type": "queue"},
        {"destination": "x", "destination_type": "exchange"},
    ]
    with serve({path: rows}) as server:
        assert api(server.url()).destinations("v", "dead") == ["letters"]
        assert api(server.url()).destinations("v", "missing") == []


@each(
    ("row", "expected"),
    [({}, "classic"), ({"default_queue_type": "undefined"}, "classic"), ({"default_queue_type": "quorum"}, "quorum")],
)
def test_the_default_type_of_queues(row: dict[str, Any], expected: str) -> None:
    with serve({"/api/vhosts/v": row}) as server:
        assert api(server.url()).default_queue_type("v") == expected


@each("body", [b"<html>", b"{}", b"[1]", b'[{"no": "name"}]', b"\xff"])
def test_an_answer_of_another_program(body: bytes) -> None:
    with serve({"/api/queues/v": body}) as server, pytest.raises(ManagementError):
        api(server.url()).queues("v")


def test_a_server_that_does_not_answer() -> None:
    with serve({}) as server:
        server.is_silent = True
        with pytest.raises(ManagementError, match="within"):
            api(server.url(), seconds=0.1).queues("v")
    with pytest.raises(ManagementError, match="reached"):
        api(server.url()).queues("v")


@each("url", ["", "ftp://h", "http://", "http://h:x", "h:15672", "http://[::1"])
def test_a_url_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ManagementError):
        api(url)


def test_no_error_has_the_password() -> None:
    with serve({}) as server:
        for url in (server.url(), server.url(LOGIN.replace("monitor", "other")), server.url().replace("http", "https")):
            with pytest.raises(ManagementError) as caught:
                api(url).queues("v")
            assert PASSWORD not in str(caught.value)
            assert "s%25cret" not in str(caught.value)
    assert PASSWORD not in repr(Login(USER, PASSWORD))
