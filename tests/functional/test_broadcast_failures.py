"""Broadcasts: a failing, dead or silent cell affects only its own answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures

import pytest

from cells import exceptions
from cells.endpoints import Call, endpoint
from cells.rpcapi import CellsAPI
from tests.cases import each
from tests.functional.cell_tree import CONTEXT, TIMEOUT_SECONDS, CellTree

SHAPE = {"api": {"east": {"az1": {}, "az2": {}}, "west": {}}}
ALL = {"api", "api!east", "api!east!az1", "api!east!az2", "api!west"}


@endpoint
def fragile(call: Call, breaks_in: str, kind: str) -> str:
    if call.cell.name == breaks_in:
        if kind == "cells":
            raise exceptions.CellNotFound("It went away.", cell="moon")
        if kind == "foreign":
            raise ZeroDivisionError("by nothing")
        if kind == "no-json":
            return object()  # type: ignore[return-value]
        if kind == "too-large":
            return "x" * 20_000
    return "fine"


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE, endpoints=[fragile], options={"cells": {"max_message_bytes": 10_000}}) as tree:
        yield tree


@pytest.mark.parametrize(
    ("dead", "lost"),
    [
        pytest.param("west", {"api!west"}, id="child"),
        pytest.param("az1", {"api!east!az1"}, id="grandchild"),
        pytest.param("east", {"api!east", "api!east!az1", "api!east!az2"}, id="relay"),
    ],
)
def test_dead_cell_is_an_error_of_its_own_at_once(
    cell_tree: Callable[..., CellTree], dead: str, lost: set[str]
) -> None:
    tree = cell_tree(SHAPE)
    tree[dead].stop()
    started = time.monotonic()
    answers = tree["api"].broadcast()
    assert time.monotonic() - started < TIMEOUT_SECONDS
    reached = {way for way in ALL if dead not in way.split("!")}
    assert set(answers) == reached | lost
    assert {way for way, answer in answers.items() if answer.error is None} == reached
    assert all(isinstance(answers[way].error, exceptions.NeighborUnreachable) for way in lost)


@pytest.mark.usefixtures("wide_margins")
def test_a_silent_cell_is_a_timeout_and_all_other_answers_arrive(cell_tree: Callable[..., CellTree]) -> None:
    is_over = threading.Event()

    @endpoint
    def answer(call: Call, silent: str) -> None:
        if call.cell.name == silent:
            assert is_over.wait(60)

    tree = cell_tree(SHAPE, endpoints=[answer], options={"cells": {"call_timeout": 3}})
    # All at the same time, because each lasts until its deadline.
    with futures.ThreadPoolExecutor() as pool:
        broadcasts = {
            silent: pool.submit(tree["api"].broadcast, "answer", kwargs={"silent": silent})
            for silent in ("az1", "east", "west")
        }
    is_over.set()
    for silent, broadcast in broadcasts.items():
        answers, way = broadcast.result(), str(tree[silent].path)
        assert set(answers) == ALL
        assert {other for other, answer in answers.items() if answer.error is None} == ALL - {way}
        assert isinstance(answers[way].error, exceptions.CellTimeout)
        assert answers[way].error.cell == way


@pytest.mark.usefixtures("wide_margins")
@pytest.mark.parametrize("direction", ["down", "up"])
def test_the_known_cells_behind_a_silent_cell_are_named(tree: CellTree, direction: str) -> None:
    """An answer that leaves cells out must not look complete (part of case C1)."""
    source, silent, beyond = ("api", "east", {"api!east!az1", "api!east!az2"})
    if direction == "up":
        source, silent, beyond = ("az1", "east", {"az1!east!api"})
    with tree.link(source, silent).toward(silent).drop():
        answers = tree[source].broadcast(direction=direction, timeout=1)
    failed = {way for way, answer in answers.items() if isinstance(answer.error, exceptions.CellTimeout)}
    assert failed == {f"{source}!{silent}", *beyond}
    assert {way for way, answer in answers.items() if answer.error is None} == set(answers) - failed


@pytest.mark.usefixtures("wide_margins")
def test_a_silent_cell_does_not_hide_the_tree(cell_tree: Callable[..., CellTree]) -> None:
    """Case D5."""
    tree = cell_tree({"api": {"east": {"az1": {}}, "west": {}}}, services=True)
    tree.link("api", "east").toward("east").drop()
    root = CellsAPI(tree["api"].transport).topology({}, timeout=2)
    states = {child["path"]: child["state"] for child in root["children"]}
    assert (root["state"], states) == ("up", {"api!east": "silent", "api!west": "up"})
    assert root["children"][0]["children"][0]["state"] != "up"


def test_dead_cell_is_drawn_as_unreachable(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE)
    tree["az2"].stop()
    root = tree["api"].service.manager.topology(CONTEXT).result(10)
    states = {child["path"]: child["state"] for child in root["children"][0]["children"]}
    assert states == {"api!east!az1": "up", "api!east!az2": "unreachable"}


@each("breaks_in", ["api", "east", "az1"])
@each(
    ("kind", "error"),
    [
        pytest.param("cells", exceptions.CellNotFound, id="own-error"),
        pytest.param("foreign", exceptions.RemoteError, id="foreign-error"),
        pytest.param("no-json", exceptions.InvalidArguments, id="answer-without-json"),
    ],
)
def test_endpoint_that_fails_is_the_error_of_its_cell(
    tree: CellTree, breaks_in: str, kind: str, error: type[Exception]
) -> None:
    answers = tree["api"].broadcast("fragile", kwargs={"breaks_in": breaks_in, "kind": kind})
    failed = str(tree[breaks_in].path)
    assert {way: answers[way].value for way in ALL - {failed}} == dict.fromkeys(ALL - {failed}, "fine")
    assert isinstance(answers[failed].error, error)


def test_answer_that_is_too_large_is_the_error_of_its_cell(tree: CellTree) -> None:
    answers = tree["api"].broadcast("fragile", kwargs={"breaks_in": "az1", "kind": "too-large"})
    assert {way for way, answer in answers.items() if answer.value == "fine"} == ALL - {"api!east!az1"}
    assert isinstance(answers["api!east!az1"].error, exceptions.MessageTooLarge)
