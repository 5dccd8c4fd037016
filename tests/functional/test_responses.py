"""Unsolicited, late and duplicate answers are dropped and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cells import exceptions
from tests.functional.cell_tree import CellTree, wait_for
from tests.functional.nova_neighbor import NovaNeighbor


def dropped(tree: CellTree) -> int:
    return tree["api"].counters().get("dropped.response", 0)


def test_late_answer_is_dropped(cell_tree: Callable[..., CellTree]) -> None:
    tree = cell_tree({"api": {"east": {}}})
    tree.freeze("east")
    with pytest.raises(exceptions.CellTimeout, match="api > east") as caught:
        tree["api"].call("east", timeout=0.1)
    assert caught.value.cell == "api!east"
    assert tree["api"].counters()["timed_out"] == 1
    before = dropped(tree)
    tree.thaw()
    wait_for(lambda: dropped(tree) == before + 1, "the late answer is dropped")
    assert tree["api"].call("east") == "api!east"


@pytest.fixture
def nova(cell_tree: Callable[..., CellTree]) -> NovaNeighbor:
    return NovaNeighbor(cell_tree({"api": {"east": {}}}), "api", is_parent=False)


def test_second_answer_to_one_call_is_dropped(nova: NovaNeighbor) -> None:
    with nova:
        before = dropped(nova.tree)
        nova.answers_twice = True
        assert nova.tree["api"].call("nova", "get_host") == "nova-host"
        wait_for(lambda: dropped(nova.tree) == before + 1, "the second one is dropped")


def test_an_unsolicited_answer_is_dropped(nova: NovaNeighbor) -> None:
    with nova:
        nova.is_silent = True
        waiting = nova.tree["api"].start_call("nova", "get_host")
        request = nova.wait_for_message(method_name="get_host")
        before = dropped(nova.tree)
        nova.send({**nova.answer_to(request, ["false answer"]), "response_uuid": "unknown"})
        wait_for(lambda: dropped(nova.tree) == before + 1, "the false answer is dropped")
        assert not waiting.done()
        nova.send(nova.answer_to(request, "right answer"))
        assert waiting.result(10) == "right answer"


@pytest.mark.parametrize("responses", ["no list", [1], None, [{"cell_name": "x"}]])
def test_answer_of_a_wrong_form_does_no_harm(nova: NovaNeighbor, responses: object) -> None:
    with nova:
        nova.is_silent = True
        waiting = nova.tree["api"].start_call("nova", "get_host")
        request = nova.wait_for_message(method_name="get_host")
        answer = nova.answer_to(request, "right answer")
        kwargs = {**answer["method_kwargs"], "responses": responses}
        nova.send({**answer, "method_kwargs": kwargs})
        wait_for(lambda: nova.tree["api"].counters().get("failed.InvalidArguments"), "the wrong form is refused")
        nova.send(answer)
        assert waiting.result(10) == "right answer"


@pytest.mark.parametrize("responses", [[], ["no JSON"], ["[]"], ['{"cell_name": "nova", "value": 1}'] * 2])
def test_an_unreadable_answer_to_a_ping_logs_no_traceback(
    nova: NovaNeighbor, responses: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with nova:
        nova.is_silent = True
        service = nova.tree["api"].service

        def pings() -> list[dict[str, Any]]:
            # In parallel the cell asks all managers for their versions, without waiting for the answers.
            return nova.received(method_name="ping", fanout=False)

        asked = len(pings())
        service.prober.ping("nova")
        wait_for(lambda: len(pings()) > asked, "nova is asked")
        request = pings()[-1]
        answer = nova.answer_to(request, "unread")
        nova.send({**answer, "method_kwargs": {**answer["method_kwargs"], "responses": responses}})
        wait_for(lambda: not len(service.pending), "the answer is taken")
        assert nova.tree["api"].call("east") == "api!east"
    assert not [record.message for record in caplog.records if record.exc_info]
