"""Patch redeclare: listeners declare again after an interval, and read on whatever the declaration does (case B5)."""

from __future__ import annotations

from typing import Any

import oslo_messaging
import pytest

from cells import conf as cells_conf
from cells.transport import open_transport
from cells.transport.patches import redeclare
from tests.cases import each


class Queue:
    def __init__(self) -> None:
        self.declared = 0

    def declare(self) -> None:
        self.declared += 1


class Consumer:
    def __init__(self, channel: object) -> None:
        self.queue = Queue()
        self._declared_on = channel


class Lock:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class Connection:
    """The parts of oslo.messaging's connection that the patch uses."""

    def __init__(self, error: Exception | None = None) -> None:
        self.channel = object()
        self._consumers = {Consumer(self.channel): 1, Consumer(object()): 2}
        self._new_tags: set[int] = set()
        self._connection_lock = Lock()
        self._error = error
        self.reads = 0

    def ensure(self, method: Any, error_callback: Any, **_: object) -> None:
        method()
        if self._error is not None:
            error_callback(self._error)
            raise self._error

    def consume(self, timeout: float | None = None) -> None:  # oslo's signature
        self.reads += 1


@each(("seconds", "declared"), [(redeclare.INTERVAL_SECONDS + 1, 1), (redeclare.INTERVAL_SECONDS - 5, 0)])
def test_it_declares_after_the_interval(seconds: float, declared: int) -> None:
    listener = redeclare.listener_of(Connection)()
    listener.consume()
    listener._declared_at -= seconds
    listener.consume()
    listener.consume()
    # A consumer of a former channel is declared by oslo.messaging when it reads again.
    assert [consumer.queue.declared for consumer in listener._consumers] == [declared, 0]
    # A message that comes while it declares is not kept waiting for the next one.
    assert listener.reads == 3 - declared


def test_after_a_failure_all_consumers_begin_again() -> None:
    listener = redeclare.listener_of(Connection)(oslo_messaging.MessageDeliveryFailure("closed"))
    listener.declare_again()
    assert listener._new_tags == {1, 2}


def test_a_transport_gets_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = open_transport(cells_conf.load([]), "rabbit://user:secret@host/a")
    pool = transport._driver._connection_pool
    monkeypatch.setattr(redeclare.REDECLARE, "is_disabled", True)
    redeclare.apply_to(transport)
    assert not hasattr(pool.connection_cls, "declare_again")
    monkeypatch.undo()
    redeclare.apply_to(transport)
    first = pool.connection_cls
    redeclare.apply_to(transport)
    assert hasattr(first, "declare_again")
    assert pool.connection_cls is first
