"""Contexts, envelopes and duplicates of cells.rpc, between the services of two cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import cells.rpc
from cells.rpc import exceptions as rpc_exceptions
from cells.services.request import ServiceRequest
from cells.testing import CellTree
from tests.functional.cell_tree import TIMEOUT_SECONDS

SHAPE = {"api": {"east": {"az1": {}}, "west": {}}}


class Ledger:
    """Proxy whose methods act as an administrator."""

    def __init__(self) -> None:
        self.runs = 0

    def promote(self, context: cells.rpc.CommonRpcContext) -> list[dict[str, Any]]:
        self.runs += 1
        copy = context.deepcopy()
        elevated = context.elevated(read_deleted="yes")
        before = cells.rpc.current_context()
        elevated.update_store()
        after = cells.rpc.current_context()
        assert before is context
        assert after is elevated
        again = cells.rpc.CommonRpcContext.from_dict(copy.to_dict()).elevated(overwrite=True)
        assert cells.rpc.current_context() is again
        return [context.to_dict(), elevated.to_dict(), again.to_dict()]


@pytest.fixture(scope="module")
def tree() -> Iterator[CellTree]:
    with CellTree(SHAPE) as tree:
        yield tree


@pytest.fixture
def ledger(tree: CellTree) -> Iterator[Ledger]:
    """Consumer in the cell az1."""
    ledger = Ledger()
    with cells.rpc.Connection(tree["az1"].transport) as connection:
        connection.create_consumer("ledger", ledger)
        connection.consume_in_thread()
        yield ledger


def ask(tree: CellTree, source: str, request: dict[str, Any], message_id: str | None = None) -> Exception | None:
    """Send an invalid request to the manager of a cell, bypassing the client; return the error."""
    answer = tree[source].managers[0].service_calls.call({}, request, TIMEOUT_SECONDS, "api!east!az1", message_id)
    return rpc_exceptions.of_answer(answer.result(TIMEOUT_SECONDS), tree[source].transport)


def test_a_context_of_another_cell_can_be_copied_and_elevated(tree: CellTree, ledger: Ledger) -> None:
    client = tree["api"].client("ledger", timeout=TIMEOUT_SECONDS)
    sent = {"user_id": "ada", "roles": ["reader"], "read_deleted": "no", "odd": {"key": [1]}}
    own, elevated, again = client.prepare(cell="az1").call(sent, "promote")
    assert {key: own[key] for key in sent} == sent
    assert elevated == {**own, "is_admin": True, "roles": ["reader", "admin"], "read_deleted": "yes"}
    assert again == {**own, "is_admin": True, "roles": ["reader", "admin"]}
    assert cells.rpc.current_context() is None


@pytest.mark.parametrize("version", ["3.0", "2.1", "nonsense"])
def test_envelope_of_another_version_is_refused_in_the_called_cell(
    tree: CellTree, ledger: Ledger, version: str
) -> None:
    request = ServiceRequest(topic="ledger", method="promote").to_dict()
    request["message"]["oslo.version"] = version
    error = ask(tree, "api", request)
    assert isinstance(error, cells.rpc.UnsupportedRpcEnvelopeVersion)
    assert version in str(error)
    assert ledger.runs == 0


def test_a_message_without_an_envelope_has_version_1(tree: CellTree, ledger: Ledger) -> None:
    request = ServiceRequest(topic="ledger", method="promote").to_dict()
    request["message"] = cells.rpc.deserialize_msg(request["message"])
    assert request["message"] == {"method": "promote", "args": {}}
    assert ask(tree, "api", request) is None
    assert ledger.runs == 1


def test_message_that_comes_by_two_ways_runs_once(tree: CellTree, ledger: Ledger) -> None:
    request = ServiceRequest(topic="ledger", method="promote").to_dict()
    assert ask(tree, "west", request, "the-same") is None
    error = ask(tree, "api", request, "the-same")
    assert isinstance(error, cells.rpc.DuplicateMessageError)
    assert "runs once" in str(error)
    assert ledger.runs == 1
