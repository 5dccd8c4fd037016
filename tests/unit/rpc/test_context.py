from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import pytest
from oslo_context import context as oslo_context

from cells import exceptions
from cells.context import RequestContext
from cells.rpc.context import CommonRpcContext, ContextSerializer, context_values, current_context, own_current
from tests.cases import each

VALUES = {"user_id": "ada", "roles": ["member"], "deep": {"list": [1]}, "self": "a key like any other"}


def test_keys_are_attributes_and_all_are_kept() -> None:
    context = CommonRpcContext.from_dict(VALUES)
    assert (context.user_id, context.deep) == ("ada", {"list": [1]})
    assert context.to_dict() == VALUES
    with pytest.raises(AttributeError, match="'project_id'"):
        _ = context.project_id
    assert not hasattr(context, "project_id")


def test_copies_share_nothing() -> None:
    context = CommonRpcContext.from_dict(VALUES).deepcopy()
    for other in (context.deepcopy(), context.elevated(), CommonRpcContext.from_dict(context.to_dict())):
        other.values["deep"]["list"].append(2)
    assert context.deep == {"list": [1]}
    assert context == CommonRpcContext.from_dict(VALUES)
    assert context != CommonRpcContext(user_id="bob")
    assert context != VALUES


@each("clone", [copy.copy, copy.deepcopy, lambda context: pickle.loads(pickle.dumps(context))])
def test_the_copy_module_copies_a_context(clone: Any) -> None:
    context = CommonRpcContext.from_dict(VALUES)
    assert clone(context) == context


def test_repr_shows_no_values() -> None:
    context = CommonRpcContext(auth_token="secret", user_id="ada")
    assert "secret" not in repr(context)
    assert "auth_token, user_id" in repr(context)
    assert repr(CommonRpcContext()) == "<CommonRpcContext with nothing>"


@each(
    ("roles", "expected"),
    [(["member"], ["member", "admin"]), (["admin"], ["admin"]), ([], ["admin"]), (None, ["admin"])],
)
def test_elevated_returns_an_administrator_and_keeps_the_original(roles: list[str] | None, expected: list[str]) -> None:
    context = CommonRpcContext(roles=roles, is_admin=False, key="kept")
    elevated = context.elevated()
    assert elevated.to_dict() == {"roles": expected, "is_admin": True, "key": "kept"}
    assert context.to_dict() == {"roles": roles, "is_admin": False, "key": "kept"}


def test_elevated_of_an_empty_context_and_read_deleted() -> None:
    assert CommonRpcContext().elevated().to_dict() == {"roles": ["admin"], "is_admin": True}
    context = CommonRpcContext(read_deleted="no")
    assert context.elevated().read_deleted == "no"
    assert context.elevated(read_deleted="only").read_deleted == "only"
    assert context.read_deleted == "no"


def test_copies_keep_their_subclass() -> None:
    class Ours(CommonRpcContext):
        pass

    assert isinstance(Ours(user_id="ada").elevated().deepcopy(), Ours)


def test_each_thread_has_its_own_current_context() -> None:
    outer, inner = CommonRpcContext(user_id="outer"), CommonRpcContext(user_id="inner")
    with own_current():
        outer.update_store()
        seen: list[Any] = []
        thread = threading.Thread(target=lambda: seen.append(current_context()))
        thread.start()
        thread.join()
        assert seen == [None]
        with own_current():
            inner.update_store()
            assert current_context() is inner
            assert inner.elevated() is not current_context()
            elevated = inner.elevated(overwrite=True)
            assert current_context() is elevated
        assert current_context() is outer
    assert current_context() is None


@each(
    "context",
    [
        CommonRpcContext(user="ada"),
        oslo_context.RequestContext(user_id="ada", overwrite=False),
        RequestContext(user_id="ada"),
        {"user": "ada"},
    ],
    ids=["common", "oslo", "cells", "dict"],
)
def test_every_kind_of_context_travels(context: Any) -> None:
    values = context_values(context)
    assert values["user"] == "ada"
    with own_current():
        received = ContextSerializer().deserialize_context(values)
        assert current_context() is received
    assert received.to_dict() == values


@each("context", [None, "ada", [("user", "ada")], {1: "ada"}])
def test_an_invalid_context_is_refused(context: Any) -> None:
    with pytest.raises(exceptions.InvalidArguments):
        context_values(context)
