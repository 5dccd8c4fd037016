"""Whole ways through trees of all forms: there and back again."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cells import versions
from cells.messages import BroadcastMessage, EncodedResponse, Message, Response, ResponseMessage, TargetedMessage
from cells.neighbors import Direction
from cells.path import CellPath
from tests.unit.messages import captures
from tests.unit.messages.trees import Tree, trees

VERSIONS = list(versions.HISTORY)
KWARGS = {"object": {"versioned_object.data": {"x": [None, 1.5, "é\ud800"]}}}
CONTEXT = {"user_id": "ann", "unknown": {"key": True}}
COMMON: dict[str, Any] = {"method": "ping", "kwargs": KWARGS, "context": CONTEXT}
COMMON |= {"needs_response": True, "max_hop_count": 20}


def call(tree: Tree, start: CellPath, end: CellPath) -> TargetedMessage:
    walk = start.walk_to(end)
    goes_up = len(walk) > 1 and walk[1] in tree.neighbors(start).parents
    return TargetedMessage.new(
        **COMMON, route=walk[:1], target=walk, direction=Direction.UP if goes_up else Direction.DOWN
    )


@given(st.data())
def test_a_call_gets_from_any_cell_to_any_other_and_its_answer_back(data: st.DataObject) -> None:
    drawn = data.draw(trees())
    start, end = data.draw(st.sampled_from(drawn.paths)), data.draw(st.sampled_from(drawn.paths))
    addressed = data.draw(st.booleans())
    for version in VERSIONS:
        tree = drawn.speaking(version)
        sent = captures.changed(call(tree, start, end), reply_server="manager-2" if addressed else "")
        where, arrived = tree.deliver(sent, start)
        arrived = captures.opened(arrived)
        assert where == end
        assert arrived.route == sent.header.target
        assert (arrived.id, arrived.content().kwargs, arrived.content().context) == (sent.id, KWARGS, CONTEXT)
        assert arrived.header.hop_count == len(sent.header.target)

        answer = ResponseMessage.answering(arrived, [Response(str(arrived.route), "pong").encoded()])
        where, came = tree.deliver(answer, end)
        came = captures.opened(came)
        assert where == start
        assert came.response_to == sent.id
        assert came.route == sent.header.target.reversed()
        assert came.content().context == CONTEXT
        assert came.header.fanout is (start != end and not (addressed and version != "1.0"))
        assert [json.loads(text)["cell_name"] for text in came.content().kwargs["responses"]] == [
            str(sent.header.target)
        ]


def gather(tree: Tree, message: Message, here: CellPath) -> list[str]:
    """What a relay does: pass it on, run it, and put all answers of the branch into one."""
    plan = message.plan(tree.neighbors(here), tree.toward)
    answers = [str(message.route)] if plan.run_here else []
    for hop in plan.hops:
        there = tree.step(here, hop.neighbor)
        arrived = message.along(hop).arrived_at(there.last)
        gathered = [EncodedResponse(text) for text in gather(tree, arrived, there)]
        answer = ResponseMessage.answering(arrived, gathered)
        where, came = tree.deliver(answer, there)
        assert where == here
        assert came.response_to == message.id
        answers += came.content().kwargs["responses"]
    return answers


def broadcast(start: CellPath, direction: Direction, **changed: bool) -> BroadcastMessage:
    return BroadcastMessage.new(**COMMON, route=start[-1:], direction=direction, **changed)


@given(st.data())
def test_a_broadcast_down_reaches_each_cell_below_once(data: st.DataObject) -> None:
    drawn = data.draw(trees())
    start = data.draw(st.sampled_from(drawn.paths))
    for version in VERSIONS:
        tree = drawn.speaking(version)
        reached = tree.spread(broadcast(start, Direction.DOWN), start)
        assert sorted(path for path, _ in reached) == tree.below(start)
        for path, message in reached:
            assert message.route == start.walk_to(path)
            arrived = captures.opened(message)
            assert (arrived.content().kwargs, arrived.content().context) == (KWARGS, CONTEXT)


@given(st.data())
def test_a_broadcast_up_reaches_each_cell_above_once(data: st.DataObject) -> None:
    drawn = data.draw(trees())
    start = data.draw(st.sampled_from(drawn.paths))
    for version in VERSIONS:
        tree = drawn.speaking(version)
        reached = tree.spread(broadcast(start, Direction.UP), start)
        assert sorted(path for path, _ in reached) == [start[:depth] for depth in range(1, len(start) + 1)]


@given(st.data(), st.booleans())
def test_the_answers_that_each_hop_gathers_come_back_once_each(data: st.DataObject, run_locally: bool) -> None:
    drawn = data.draw(trees())
    start = data.draw(st.sampled_from(drawn.paths))
    for version in VERSIONS:
        tree = drawn.speaking(version)
        answers = gather(tree, broadcast(start, Direction.DOWN, run_locally=run_locally), start)
        asked = [path for path in tree.below(start) if run_locally or path != start]
        assert sorted(answers) == sorted(str(start.walk_to(path)) for path in asked)
