"""Replies: their wire form, and the sinks that take them."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.messages import EncodedResponse, Response, TargetedMessage
from cells.neighbors import Direction
from cells.path import CellPath
from cells.routing.reply import DELIVERED, WORKING, Branch, Forwarded, Kind, Reply, ToCaller, settle

HERE = CellPath.parse("api!east")
MESSAGE = TargetedMessage.new(method="ping", route=HERE, target=HERE, direction=Direction.DOWN, needs_response=True)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ([], Kind.WORKING),
        (['{"answered": true}'], Kind.DELIVERED),
        (['{"answered": true}'] * 2, Kind.ANSWER),
        (["one"], Kind.ANSWER),
        (["one", "two"], Kind.ANSWER),
    ],
)
def test_the_wire_form_has_a_meaning_and_is_written_again_as_it_was(texts: list[str], kind: Kind) -> None:
    reply = Reply.from_wire(texts, ["az1"])
    assert reply == Reply(kind, tuple(EncodedResponse(text) for text in texts), ("az1",))
    assert reply.to_wire() == texts


def test_the_kinds_without_an_answer_have_a_wire_form() -> None:
    for reply in (WORKING, DELIVERED):
        assert Reply.from_wire(reply.to_wire()) == reply


def test_one_response_is_read_and_any_other_number_is_an_error() -> None:
    one = Response("api!east", {"disk": 1})
    assert Reply(responses=(one.encoded(),)).read_one(()) == one
    for responses in ((), (one.encoded(), one.encoded())):
        assert isinstance(Reply(responses=responses).read_one(()).error, exceptions.MalformedMessage)
    assert Reply(responses=(one.encoded(), one.encoded())).read_all(()) == [one, one]


def test_a_delivered_value_that_was_not_asked_for_is_an_error() -> None:
    assert isinstance(DELIVERED.read_one(()).error, exceptions.MalformedMessage)


def test_a_branch_and_the_neighbors_that_answer_too_are_named() -> None:
    branch, forwarded = ToCaller(), ToCaller()
    Branch(branch, "az1").take(WORKING)
    Forwarded(forwarded, ("az1", "az2")).take(WORKING)
    assert branch.future.result(0) == Reply(Kind.WORKING, branch="az1")
    assert forwarded.future.result(0) == Reply(Kind.WORKING, passed_on_to=("az1", "az2"))


def test_a_value_without_a_json_form_becomes_an_error() -> None:
    caller = ToCaller()
    settle(caller, Response("api!east", object()))
    assert isinstance(caller.future.result(0).read_one(("cells.exceptions",)).error, exceptions.InvalidArguments)
