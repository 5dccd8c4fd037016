"""Messages between the managers of one cell, sealed with its key."""

from __future__ import annotations

import json

import pytest

from cells import exceptions
from cells.manager.seals import MAX_AGE_SECONDS, Seals
from tests.clock import Clock

ARGUMENTS = {"neighbor": "east", "payloads": ["text"]}


def seals(clock: Clock, host: str = "api-2", secret: bytes = b"key of api") -> Seals:
    return Seals(host, lambda: secret, clock)


def test_a_sealed_message_is_opened_once() -> None:
    clock = Clock()
    receiver, sealed = seals(clock), seals(clock, "api-1").seal("take", "api-2", ARGUMENTS)
    assert receiver.open("take", **sealed) == ARGUMENTS
    with pytest.raises(exceptions.CallNotAllowed):
        receiver.open("take", **sealed)
    assert seals(clock, "api-1").seal("take", "api-2", ARGUMENTS) != sealed


def test_a_message_for_all_managers_is_opened_by_each() -> None:
    clock = Clock()
    sealed = seals(clock, "api-1").seal("hear", "", ARGUMENTS)
    assert [seals(clock, host).open("hear", **sealed) for host in ("api-2", "api-3")] == [ARGUMENTS] * 2


@pytest.mark.parametrize("secret", [b"key of east", b""], ids=["another-key", "no-key"])
def test_the_seal_of_another_cell_is_refused(secret: bytes) -> None:
    clock = Clock()
    sealed = seals(clock, "api-1", secret).seal("take", "api-2", ARGUMENTS)
    with pytest.raises(exceptions.CallNotAllowed):
        seals(clock).open("take", **sealed)


def test_a_changed_message_is_refused() -> None:
    clock = Clock()
    receiver, sealed = seals(clock), seals(clock, "api-1").seal("take", "api-2", ARGUMENTS)
    changed = json.dumps({**json.loads(sealed["body"]), "arguments": {"neighbor": "west"}})
    for method, body, seal in (
        ("take", changed, sealed["seal"]),
        ("forward", sealed["body"], sealed["seal"]),
        ("take", sealed["body"], ""),
        ("take", sealed["body"], "ü"),
    ):
        with pytest.raises(exceptions.CallNotAllowed):
            receiver.open(method, body, seal)
    assert receiver.open("take", **sealed) == ARGUMENTS


def test_a_message_for_another_manager_is_refused() -> None:
    clock = Clock()
    with pytest.raises(exceptions.CallNotAllowed):
        seals(clock, "api-3").open("take", **seals(clock, "api-1").seal("take", "api-2", ARGUMENTS))


@pytest.mark.parametrize("seconds", [MAX_AGE_SECONDS + 1, -MAX_AGE_SECONDS - 1], ids=["old", "of-the-future"])
def test_a_message_of_another_time_is_refused(seconds: float) -> None:
    clock = Clock()
    sealed = seals(clock, "api-1").seal("take", "api-2", ARGUMENTS)
    clock.advance(seconds)
    with pytest.raises(exceptions.CallNotAllowed):
        seals(clock).open("take", **sealed)
