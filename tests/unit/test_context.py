"""RequestContext: the keys of the wire; unknown keys survive."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from oslo_context import context as oslo_context

from cells.context import Current, MessageContext, RequestContext, get_admin_context
from tests.cases import each

CAPTURES = sorted((Path(__file__).parent / "messages" / "golden").glob("*.json"))


@each("capture", CAPTURES, ids=lambda path: path.stem)
def test_a_captured_context_survives_unchanged(capture: Path) -> None:
    values = json.loads(capture.read_text())["message"]["ctxt"]
    assert RequestContext.from_dict(values).to_dict() == values


@each("capture", CAPTURES, ids=lambda path: path.stem)
def test_admin_context_has_the_keys_and_types_of_a_captured_context(capture: Path) -> None:
    values = json.loads(capture.read_text())["message"]["ctxt"]
    ours = json.loads(json.dumps(get_admin_context().to_dict()))
    assert {name: type(value) for name, value in ours.items()} == {name: type(value) for name, value in values.items()}


def test_unknown_keys_are_kept() -> None:
    values = {**get_admin_context().to_dict(), "trace": {"id": 1}, "extra": "x", "kwargs": 2, "args": None}
    context = RequestContext.from_dict(values)
    assert context.extra == {"trace": {"id": 1}, "extra": "x", "kwargs": 2, "args": None}
    assert context.to_dict() == values


def test_user_and_project_survive() -> None:
    values = RequestContext(
        user_id="u1", user_name="ann", project_id="p1", project_name="shop", roles=["member"], is_admin=False
    ).to_dict()
    assert (values["user_id"], values["user"], values["project_id"], values["tenant"]) == ("u1", "u1", "p1", "p1")
    context = RequestContext.from_dict(json.loads(json.dumps(values)))
    assert (context.user_id, context.project_id, context.roles) == ("u1", "p1", ["member"])
    assert (context.user_name, context.project_name, context.is_admin) == ("ann", "shop", False)
    assert context.to_dict() == values


@each(
    ("values", "user_id", "project_id"),
    [
        ({"user_id": "ann"}, "ann", None),
        ({"user": "ann"}, "ann", None),
        ({"user": None, "user_id": "ann"}, "ann", None),
        ({"user": "ann", "user_id": "bob"}, "ann", None),
        ({"project_id": "shop"}, None, "shop"),
        ({"tenant": "shop"}, None, "shop"),
        ({"project": "shop"}, None, "shop"),
        ({"project_id": None, "tenant": "shop", "user_id": "ann"}, "ann", "shop"),
        ({"project_id": "shop", "tenant": "other"}, None, "shop"),
    ],
)
def test_user_and_project_may_have_any_of_their_keys(
    values: dict[str, Any], user_id: str | None, project_id: str | None
) -> None:
    context = RequestContext.from_dict(values)
    assert (context.user_id, context.project_id, context.extra) == (user_id, project_id, {})
    again = context.to_dict()
    assert (again["user"], again["user_id"]) == (user_id, user_id)
    assert (again["project_id"], again["project"], again["tenant"]) == (project_id, project_id, project_id)


def test_keyword_arguments_take_precedence() -> None:
    context = RequestContext.from_dict({"user_id": "ann", "read_deleted": "yes"}, user_id="bob", read_deleted="no")
    assert (context.user_id, context.read_deleted) == ("bob", "no")


def test_own_keys_survive() -> None:
    values = RequestContext(
        read_deleted="yes", remote_address="192.0.2.1", quota_class="gold", service_catalog=[{"type": "image"}]
    ).to_dict()
    context = RequestContext.from_dict(values)
    assert (context.read_deleted, context.remote_address) == ("yes", "192.0.2.1")
    assert (context.quota_class, context.service_catalog) == ("gold", [{"type": "image"}])
    assert context.timestamp == values["timestamp"]


def test_an_empty_context_gets_defaults() -> None:
    context = RequestContext.from_dict({})
    assert (context.read_deleted, context.service_catalog, context.roles) == ("no", [], [])
    assert context.request_id.startswith("req-")
    assert context.extra == {}


def test_the_context_of_the_thread_stays() -> None:
    before = oslo_context.get_current()
    RequestContext.from_dict({"user_id": "stranger"})
    get_admin_context()
    assert oslo_context.get_current() is before


def test_later_changes_of_the_values_have_no_effect() -> None:
    values: dict[str, Any] = {"odd": 1}
    context = RequestContext.from_dict(values)
    values["odd"] = 2
    assert context.to_dict()["odd"] == 1


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=5), max_size=5))
def test_unknown_keys_survive_unchanged(unknown: dict[str, Any]) -> None:
    known = get_admin_context().to_dict()
    values = {**known, **{f"x-{name}": value for name, value in unknown.items()}}
    assert RequestContext.from_dict(values).to_dict() == values


@given(
    st.dictionaries(
        st.sampled_from([*get_admin_context().to_dict(), "extra", "overwrite", "args", "self"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
    )
)
def test_values_of_any_type_are_accepted(values: dict[str, Any]) -> None:
    assert isinstance(RequestContext.from_dict(values), RequestContext)


def test_a_context_becomes_the_current_one_of_its_thread_only_on_request() -> None:
    def seen() -> list[object]:
        RequestContext(user_id="ann")
        found: list[object] = [oslo_context.get_current()]
        context = RequestContext(user_id="bob", overwrite=True)
        found.append(oslo_context.get_current() is context)
        with Current({"user": "eve"}):
            found.append(oslo_context.get_current().user_id)
        found.append(oslo_context.get_current() is context)
        return found

    # A thread without a current context.
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(seen).result() == [None, True, "eve", True]


def test_a_thread_has_no_current_context_after_its_first_message() -> None:
    def seen() -> bool:
        with Current({"user": "eve"}):
            pass
        return bool(oslo_context.get_current())

    with ThreadPoolExecutor(1) as threads:
        assert not threads.submit(seen).result()


def test_the_context_of_a_message_is_complete_when_it_is_read() -> None:
    values = {**get_admin_context().to_dict(), "user": "ann", "later": 1}
    context = MessageContext(lambda: values)
    assert context.to_dict() == RequestContext.from_dict(values).to_dict()
    assert not hasattr(context, "no_such_attribute")
