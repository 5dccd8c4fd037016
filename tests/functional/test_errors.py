"""Errors of a call reach its caller at once, with their class if the class is allowed."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cells import exceptions
from cells.endpoints import Call, endpoint
from tests.cases import each
from tests.functional.cell_tree import CellTree

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}
#: source and target: across hops in each direction, and within a cell
ENDS = [
    pytest.param("api", "az1", id="down"),
    pytest.param("az1", "api", id="up"),
    pytest.param("az1", "api!west", id="up-and-down"),
    pytest.param("east", "east", id="itself"),
]
NO_JSON = {"an-object": object(), "a-set": {1}, "not-a-number": math.nan, "bytes": b"x"}


@endpoint
def refuse(call: Call) -> None:
    raise exceptions.MaxHopCountReached("Too far to walk.", cell="moon", hop_count=7)


@endpoint
def divide(call: Call, number: int) -> float:
    return number / 0


@endpoint
def leave(call: Call) -> None:
    sys.exit(3)


@endpoint(blocks=False)
def leave_at_once(call: Call) -> None:
    sys.exit(3)


@endpoint
def give(call: Call, what: str) -> Any:
    return NO_JSON[what]


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE, endpoints=[refuse, divide, leave, leave_at_once, give]) as tree:
        yield tree


@each(("source", "target"), ENDS)
def test_error_of_an_allowed_class_is_rebuilt_with_its_details(tree: CellTree, source: str, target: str) -> None:
    with pytest.raises(exceptions.MaxHopCountReached) as caught:
        tree[source].call(target, "refuse")
    assert type(caught.value).__name__ == "MaxHopCountReached_Remote"
    assert (caught.value.cell, caught.value.hop_count) == ("moon", 7)


@each(("source", "target"), ENDS)
def test_error_of_any_other_class_is_a_remote_error(
    tree: CellTree, caplog: pytest.LogCaptureFixture, source: str, target: str
) -> None:
    """Its traceback is in the log of the cell where it occurred, under the log id in its text."""
    caplog.clear()  # of the records of the cases before
    with caplog.at_level(logging.INFO, "cells"), pytest.raises(exceptions.RemoteError) as caught:
        tree[source].call(target, "divide", kwargs={"number": 1})
    assert (caught.value.exc_type, caught.value.value) == ("ZeroDivisionError", "division by zero")
    assert not caught.value.traceback
    (record,) = [message for message in caplog.messages if "in divide" in message]
    log_id = record.split()[2].rstrip(":")
    assert len(log_id) > 20
    assert log_id in str(caught.value)


def test_tracebacks_travel_if_the_operator_allows_them(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(
        {"api": {"east": {}}}, endpoints=[divide], cell_options={"east": {"cells": {"send_tracebacks": "true"}}}
    )
    with pytest.raises(exceptions.RemoteError) as caught:
        tree["api"].call("east", "divide", kwargs={"number": 1})
    assert "in divide" in "".join(caught.value.traceback or [])


@pytest.mark.parametrize(
    ("target", "method"),
    [pytest.param("az1", "no_such_method", id="method"), pytest.param("api!east!nowhere", "give", id="target")],
)
def test_a_call_that_fails_in_another_cell_is_one_line_in_its_log(
    tree: CellTree, caplog: pytest.LogCaptureFixture, target: str, method: str
) -> None:
    with caplog.at_level(logging.INFO, "cells"), pytest.raises(exceptions.CellsError):
        tree["api"].call(target, method)
    lines = [message for message in caplog.messages if method in message]
    assert len(lines) == 1
    assert "from api failed" in lines[0]


@pytest.mark.parametrize("method", ["leave", "leave_at_once"])
def test_system_exit_of_an_endpoint_ends_only_its_call(tree: CellTree, method: str) -> None:
    with pytest.raises(exceptions.RemoteError, match=r"SystemExit\(3\)"):
        tree["api"].call("az1", method)
    assert tree["api"].call("az1") == "api!east!az1"


def test_the_caller_chooses_the_allowed_modules(cell_tree: Callable[..., CellTree]) -> None:
    allowed = {"cells": {"allowed_rpc_exception_modules": "builtins"}}
    tree = cell_tree({"api": {"east": {}}}, endpoints=[refuse, divide], cell_options={"api": allowed})
    with pytest.raises(ZeroDivisionError) as caught:
        tree["api"].call("east", "divide", kwargs={"number": 1})
    assert type(caught.value).__name__ == "ZeroDivisionError_Remote"
    with pytest.raises(exceptions.RemoteError, match="MaxHopCountReached"):
        tree["api"].call("east", "refuse")


@each(("source", "target"), ENDS)
@each("method", ["no_such_method", "__init__", "parse_responses", "__class__", "describe", "invoke", "Größe"])
def test_endpoints_for_responses_cannot_be_called(tree: CellTree, source: str, target: str, method: str) -> None:
    with pytest.raises(exceptions.UnknownMethod) as caught:
        tree[source].call(target, method)
    assert caught.value.method == method
    assert tree[source].call(target)


@each(("source", "target"), ENDS)
@each(
    "method", [pytest.param("", id="empty"), pytest.param("a\n\x00", id="control"), pytest.param("x" * 5000, id="long")]
)
def test_invalid_method_names_cannot_be_called(tree: CellTree, source: str, target: str, method: str) -> None:
    with pytest.raises(exceptions.MessageError) as caught:
        tree[source].call(target, method)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
    assert tree[source].call(target)


def test_method_for_responses_cannot_be_broadcast(tree: CellTree) -> None:
    answers = tree["api"].broadcast("parse_responses", kwargs={"responses": []})
    assert [type(answer.error).__name__ for answer in answers.values()] == ["UnknownMethod_Remote"] * 4


@each(
    "kwargs",
    [
        pytest.param({}, id="missing"),
        pytest.param({"number": 1, "colour": "red"}, id="unknown"),
        pytest.param({"number": 1, "call": {}}, id="the-call-itself"),
        pytest.param({"number": 1, "": None}, id="no-name"),
    ],
)
@each(("source", "target"), ENDS)
def test_arguments_that_do_not_fit_are_refused_with_the_signature(
    tree: CellTree, source: str, target: str, kwargs: dict[str, Any]
) -> None:
    with pytest.raises(exceptions.InvalidArguments, match=r"divide\(number"):
        tree[source].call(target, "divide", kwargs=kwargs)


@each("what", NO_JSON)
@each(("source", "target"), ENDS)
def test_answer_without_json_is_an_error_of_the_call(tree: CellTree, source: str, target: str, what: str) -> None:
    with pytest.raises(exceptions.InvalidArguments):
        tree[source].call(target, "give", kwargs={"what": what})


@each("what", NO_JSON)
def test_arguments_without_json_are_refused_where_they_are_sent(tree: CellTree, what: str) -> None:
    with pytest.raises(exceptions.InvalidArguments):
        tree["api"].call("az1", "divide", kwargs={"number": NO_JSON[what]})


@each("timeout", [0, -1, math.nan, math.inf, "1", True])
def test_an_invalid_timeout_is_refused(tree: CellTree, timeout: Any) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="timeout"):
        tree["api"].call("az1", timeout=timeout)


def test_no_error_leaves_a_call_behind(tree: CellTree) -> None:
    for method, kwargs in (("refuse", {}), ("divide", {"number": 1}), ("nothing", {}), ("give", {"what": "bytes"})):
        with pytest.raises(exceptions.CellsError):
            tree["az1"].call("api!west", method, kwargs=kwargs)
    tree.wait_until_idle()
