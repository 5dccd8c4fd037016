"""A service with a login to the bus of its cell attacks the topic of the managers about each other.

It can read and write all that is on the bus, and has no file of the managers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import oslo_messaging
import pytest

from cells import exceptions
from cells.manager.seals import Seals
from cells.manager.sibling_bus import SiblingEndpoint
from cells.worker_threads import Runtime
from tests.functional.cell_tree import CellTree, wait_for
from tests.functional.direct.attack import Watch
from tests.functional.notes import Notes

SHAPE = {"top": {"api": {"east": {}, "west": {}}}}
METHODS = ("hear", "forward", "take")
REFUSED = "rejected.CallNotAllowed"


@pytest.fixture(scope="module")
def notes() -> Notes:
    return Notes()


@pytest.fixture(scope="module")
def tree(notes: Notes) -> Iterator[CellTree]:
    with CellTree(SHAPE, links="direct", services=True, endpoints=[notes.endpoint()], managers={"api": 2}) as tree:
        yield tree


@pytest.fixture
def watch(tree: CellTree, notes: Notes) -> Watch:
    notes.taken.clear()
    return Watch(tree["api"])


class Attacker:
    """A service of api."""

    def __init__(self, tree: CellTree) -> None:
        self._client = tree["api"].client("cells.siblings", namespace="siblings", version="1.0", timeout=10)
        self.hosts = [manager.host for manager in tree["api"].managers]

    def call(self, host: str, method: str, **arguments: Any) -> None:
        with pytest.raises((exceptions.CallNotAllowed, oslo_messaging.RemoteError)):
            self._client.prepare(server=host).call({}, method, **arguments)

    def fanout(self, method: str, **arguments: Any) -> None:
        self._client.prepare(fanout=True).cast({}, method, **arguments)


@pytest.fixture
def attacker(tree: CellTree) -> Attacker:
    return Attacker(tree)


def note(direction: str = "up") -> str:
    """A cast that runs in api, from its child east."""
    message = {"message_type": "targeted", "method_name": "note", "ctxt": {}, "method_kwargs": {"text": "forged"}}
    message |= {"direction": direction, "need_response": False, "fanout": False, "uuid": "forged", "hop_count": 1}
    return json.dumps(message | {"routing_path": "east", "target_cell": "east!api", "max_hop_count": 10})


def arguments_of(method: str) -> dict[str, Any]:
    return {
        "hear": {"host": "api-9", "incarnation": "x", "links": {"east": ["east-1"]}},
        "forward": {"neighbor": "west", "parcels": [[2, note("down"), "", False, 5.0]]},
        "take": {"neighbor": "east", "payloads": [note()], "age_seconds": 0.0},
    }[method]


def links(tree: CellTree) -> list[Any]:
    return [
        manager.cell.link_status(row)
        for manager in tree["api"].managers
        for row in manager.table.snapshot().all().values()
    ]


def is_harmless(tree: CellTree, watch: Watch, notes: Notes) -> bool:
    """Return whether nothing has run, and the cell works."""
    hosts = {host for status in links(tree) for host in status["through"]}
    return watch.is_served() and not notes.taken and "api-9" not in hosts


@pytest.mark.parametrize("method", METHODS)
def test_forged_messages(tree: CellTree, attacker: Attacker, watch: Watch, notes: Notes, method: str) -> None:
    runtime = Runtime()
    for host in attacker.hosts:
        for secret in (b"", b"a guess"):
            sealed = Seals("api-9", lambda secret=secret: secret, runtime.wall_clock).seal(  # type: ignore[misc]
                method, host, arguments_of(method)
            )
            attacker.call(host, method, **sealed)
        attacker.call(host, method, body=json.dumps({"to": host, "arguments": arguments_of(method)}), seal="0" * 64)
    watch.wait_for(REFUSED, 3 * len(attacker.hosts))
    assert is_harmless(tree, watch, notes)


@pytest.mark.parametrize("method", METHODS)
def test_truncated_and_oversized_messages(
    tree: CellTree, attacker: Attacker, watch: Watch, notes: Notes, method: str
) -> None:
    host = attacker.hosts[0]
    attacks: list[dict[str, Any]] = [{}, {"body": "{"}, {"seal": "0" * 64}, {"body": None, "seal": None}]
    attacks += [{"body": {"to": ""}, "seal": ["0"]}, {"body": "[" * 100_000, "seal": "0" * 64}]
    attacks += [{"body": "x" * 5_000_000, "seal": "y" * 5_000_000}, {"body": "{}", "seal": "\ud800"}]
    attacks += [{"body": "{}", "seal": "", "more": 1}]
    for arguments in attacks:
        attacker.call(host, method, **arguments)
        attacker.fanout(method, **arguments)
    # Each manager has got the fan-outs, and the first one the calls.
    watch.wait_for(REFUSED, (1 + len(attacker.hosts)) * len(attacks))
    assert is_harmless(tree, watch, notes)


def test_replayed_messages(
    tree: CellTree, attacker: Attacker, watch: Watch, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker has read messages of the managers on the bus, and sends them again, as they are and changed."""
    seen: list[tuple[str, str]] = []
    real = SiblingEndpoint.hear

    def hear(endpoint: SiblingEndpoint, ctxt: Any, body: str = "", seal: str = "", **more: Any) -> None:
        seen.append((body, seal))
        real(endpoint, ctxt, body, seal, **more)

    monkeypatch.setattr(SiblingEndpoint, "hear", hear)
    tree["api"].managers[0].reset()
    wait_for(lambda: len(seen) >= 2, "a message to each manager")
    body, seal = seen[0]
    before = watch.counted(REFUSED)
    for method in METHODS:
        for host in attacker.hosts:
            attacker.call(host, method, body=body, seal=seal)
            attacker.call(host, method, body=body.replace("east", "west"), seal=seal)
            attacker.call(host, method, body=body[:-1], seal=seal)
    watch.wait_for(REFUSED, before + 9 * len(attacker.hosts))
    assert is_harmless(tree, watch, notes)
