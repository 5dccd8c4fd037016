"""Limits: too large messages and too long ways are errors for the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cells import exceptions
from cells.endpoints import Call, endpoint
from tests.functional.cell_tree import CellTree

SHAPE = {"api": {"east": {"az1": {}}}}
LIMIT_BYTES = 8192
SMALL = {"cells": {"max_message_bytes": LIMIT_BYTES}}
LARGE = "x" * LIMIT_BYTES


@endpoint
def repeat(call: Call, text: str, count: int = 1) -> str:
    return text * count


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE, endpoints=[repeat], options=SMALL) as tree:
        yield tree


@pytest.mark.parametrize(("source", "target"), [("api", "east"), ("api", "az1"), ("az1", "api")])
def test_request_that_is_too_large_is_not_sent(tree: CellTree, source: str, target: str) -> None:
    with pytest.raises(exceptions.MessageTooLarge, match="max_message_bytes") as caught:
        tree[source].call(target, "repeat", kwargs={"text": LARGE})
    assert caught.value.limit_bytes == LIMIT_BYTES
    assert (caught.value.size_bytes or 0) > LIMIT_BYTES
    assert tree[source].call(target, "repeat", kwargs={"text": "x"}) == "x"


@pytest.mark.parametrize(("source", "target"), [("api", "east"), ("api", "az1"), ("az1", "api")])
def test_answer_that_is_too_large_is_an_error_instead(tree: CellTree, source: str, target: str) -> None:
    says = f"The answer of cell {target} to repeat cannot be sent: .*max_message_bytes"
    with pytest.raises(exceptions.MessageTooLarge, match=says) as caught:
        tree[source].call(target, "repeat", kwargs={"text": "x", "count": LIMIT_BYTES})
    assert caught.value.cell == target
    assert caught.value.limit_bytes == LIMIT_BYTES


@pytest.mark.parametrize("narrow", ["east", "az1"])
def test_request_that_is_too_large_on_its_way_is_answered_from_there(
    cell_tree: Callable[..., CellTree], narrow: str
) -> None:
    tree = cell_tree(SHAPE, endpoints=[repeat], cell_options={narrow: SMALL})
    with pytest.raises(exceptions.MessageTooLarge, match=str(LIMIT_BYTES)):
        tree["api"].call("az1", "repeat", kwargs={"text": LARGE})


def test_large_allowed_messages_arrive_unchanged(cell_tree: Callable[..., CellTree]) -> None:
    text = 'Größe \u2028 \U0001f600 \\" \x00 ' * 5_000
    assert cell_tree(SHAPE, endpoints=[repeat])["api"].call("az1", "repeat", kwargs={"text": text}) == text


def test_call_that_needs_more_hops_than_allowed_fails_where_they_end(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, options={"cells": {"max_hop_count": 2}})
    assert tree["api"].call("east") == "api!east"
    with pytest.raises(exceptions.MaxHopCountReached, match="max_hop_count") as caught:
        tree["api"].call("az1")
    assert (caught.value.cell, caught.value.hop_count) == ("east", 2)


def test_broadcast_goes_no_further_than_allowed(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree(SHAPE, options={"cells": {"max_hop_count": 2}})
    answers = tree["api"].broadcast()
    assert sorted(answers) == ["api", "api!east"]
    assert all(answer.error is None for answer in answers.values())


def test_as_many_cells_as_allowed_are_reached_and_answer(cell_tree: Callable[..., CellTree]) -> None:
    names = [f"level{number}" for number in range(1, 11)]
    shape: dict[str, object] = {}
    for name in reversed(names):
        shape = {name: shape}
    tree = cell_tree(shape)
    assert tree["level1"].call("level10") == "!".join(names)
    assert tree["level10"].call("level1") == "level1"
    assert len(tree["level1"].broadcast()) == 10
