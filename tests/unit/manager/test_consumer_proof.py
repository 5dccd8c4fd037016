"""The proof that consumers take messages: one at a time, and an answer for each part."""

from __future__ import annotations

import threading

import pytest

from cells import exceptions
from cells.manager.consumer_proof import ConsumerProof
from cells.worker_threads import Runtime


def test_each_part_has_an_answer() -> None:
    asked: list[float] = []

    def fail(_: float) -> None:
        raise exceptions.ManagerTimeout("the consumer of queue q took no message")

    proof = ConsumerProof({"requests": asked.append, "messages": fail}, Runtime())
    assert proof.prove(2.0).result(10) == {"requests": "", "messages": "the consumer of queue q took no message"}
    assert asked == [2.0]
    proof.prove(3.0).result(10)
    assert asked == [2.0, 3.0]


def test_those_who_ask_meanwhile_share_a_proof() -> None:
    gate, runs = threading.Event(), []

    def wait(_: float) -> None:
        runs.append(1)
        gate.wait(10)

    proof = ConsumerProof({"requests": wait}, Runtime())
    first, second = proof.prove(5.0), proof.prove(5.0)
    gate.set()
    assert first.result(10) == second.result(10) == {"requests": ""}
    assert runs == [1]


def test_a_system_without_threads() -> None:
    def spawn(work: object, name: str) -> None:
        raise RuntimeError("no thread left")

    proof = ConsumerProof({"requests": lambda _: None}, Runtime(spawn=spawn))  # type: ignore[arg-type]
    with pytest.raises(exceptions.ManagerBusy):
        proof.prove(1.0)


def test_a_manager_without_consumers() -> None:
    assert ConsumerProof({}, Runtime()).prove(1.0).result(10) == {}
