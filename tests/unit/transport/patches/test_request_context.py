"""Patch request_context: a listener does not copy the context of each request."""

from __future__ import annotations

from typing import Any

import pytest
from oslo_messaging._drivers import amqp, common

from cells.transport.patches.request_context import RequestContext


@pytest.fixture(autouse=True)
def _class_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    class OfThisTest(amqp.RpcContext):  # type: ignore[misc]  # oslo.messaging has no types
        """What the patch changes."""

    monkeypatch.setattr(amqp, "RpcContext", OfThisTest)


def unpacked() -> Any:
    """Return the context of a message as a listener reads it."""
    message = {"_context_roles": ["admin"], "_context_user": "ada", "_msg_id": "id1", "_reply_q": "reply_1"}
    return amqp.unpack_context(message)


def test_the_context_has_the_values_of_the_message_itself() -> None:
    assert RequestContext().apply()
    context = unpacked()
    values = context.to_dict()
    assert values == {"roles": ["admin"], "user": "ada", "client_timeout": None}
    assert values["roles"] is context.roles
    values["user"] = "bob"
    assert context.user == "ada"


def test_it_is_not_applicable_to_a_class_that_copies_in_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.CommonRpcContext, "to_dict", lambda self: dict(self.values, more=1))
    assert not RequestContext().apply()
