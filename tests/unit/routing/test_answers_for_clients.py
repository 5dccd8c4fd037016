"""Answers that name a client: over a direct link, their sender is a cell that this one must not write for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.endpoints.cells_in_memory import CellInMemory

CLIENT = "1@reply_" + "a" * 32


def answer() -> dict[str, Any]:
    """An answer from the child "liar" to a call of "west", in whose broker a client waits."""
    text = json.dumps({"cell_name": "west!api!liar", "value": "forged", "failure": False})
    message = {"message_type": "response", "method_name": "parse_responses", "direction": "up", "uuid": "m"}
    message |= {"response_uuid": "guessed", "routing_path": "liar", "target_cell": "liar!api!west", "hop_count": 1}
    message |= {"max_hop_count": 10, "need_response": False, "fanout": False, "reply_server": "west"}
    content = {"ctxt": {}, "method_kwargs": {"orig_message": "{}", "responses": [text]}}
    return message | {"reply_to": CLIENT, "payload": json.dumps(content)}


@pytest.mark.parametrize(("neighbor", "is_proved"), [("", False), ("liar", True)], ids=["broker", "direct-link"])
def test_an_answer_over_a_link_that_proves_its_sender_reaches_no_client_of_a_sibling(
    neighbor: str, is_proved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CellInMemory("api", children=["liar", "west"]) as api:
        api.table.record_description("west", {"version": "1.4", "host": "west"})
        api.table.record_description("liar", {"version": "1.4", "host": "liar"})
        put: list[str] = []
        monkeypatch.setattr(api.service.links, "reaches_clients", lambda _: True)
        monkeypatch.setattr(api.service.links, "reply_to_client", lambda _cell, reply_to, *_: put.append(reply_to))
        api.router.receive([answer()], neighbor)
        if not is_proved:
            assert put == [CLIENT]
            return
        assert put == []
        # The manager of west, which has asked nothing, gets it, and no cell behind it puts it on a queue.
        [taken] = api.next_cast("west")
        assert taken["response_uuid"] == "guessed"
        assert "reply_to" not in taken
