"""Casts that a listener has read are counted before their broker forgets them, until they are dispatched (case C1)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from cells import exceptions
from cells.transport.custody import Custody


class Ledger:
    """A ledger of one number."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.refused = 0

    def take(self, casts: int) -> None:
        self.in_flight += casts

    def pass_on(self, casts: int) -> None:
        self.in_flight -= casts

    def refuse(self, casts: int, error: exceptions.CellsError) -> None:
        assert error.message
        self.refused += casts


class Consumer:
    def __init__(self, callback: Callable[[Any], None]) -> None:
        self.callback = callback


class Library:
    """Listener of oslo.messaging for RabbitMQ: reads a request, acknowledges it, and keeps it until it is polled."""

    def __init__(self, ledger: Ledger) -> None:
        self.problem: Exception | None = None
        self.is_duplicate = False
        self.counted_at_acknowledgement: list[int] = []
        self.incoming: list[Any] = []
        self._ledger = ledger
        self._consumer = Consumer(self._read)
        self.conn = SimpleNamespace(connection=SimpleNamespace(_consumers={self._consumer: "1"}))
        self._poll_style_listener = self

    def deliver(self, casts: int) -> None:
        self._consumer.callback({"casts": casts})

    def _read(self, request: dict[str, int]) -> None:
        self.counted_at_acknowledgement.append(self._ledger.in_flight)
        if self.problem is not None:
            raise self.problem
        if not self.is_duplicate:
            self.incoming.append(SimpleNamespace(message=request))


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def custody(ledger: Ledger) -> Custody:
    return Custody(ledger, lambda request: int(request["casts"]))


@pytest.fixture
def library(ledger: Ledger, custody: Custody) -> Library:
    library = Library(ledger)
    custody.watch(library)
    return library


def test_casts_are_counted_from_before_the_acknowledgement_until_they_are_dispatched(
    ledger: Ledger, custody: Custody, library: Library
) -> None:
    library.deliver(3)
    library.deliver(0)
    library.deliver(2)
    assert library.counted_at_acknowledgement == [3, 3, 5]
    for left, request in zip([2, 2, 0], library.incoming, strict=True):
        custody.end(request)
        assert ledger.in_flight == left


def is_duplicate(library: Library) -> None:
    library.is_duplicate = True


def has_no_connection(library: Library) -> None:
    library.problem = ConnectionResetError("gone")


@pytest.mark.parametrize("happens", [is_duplicate, has_no_connection])
def test_requests_that_the_library_discards_do_not_stay_in_the_count(
    ledger: Ledger, library: Library, happens: Callable[[Library], None]
) -> None:
    happens(library)
    with contextlib.suppress(ConnectionResetError):
        library.deliver(3)
    assert (library.counted_at_acknowledgement, ledger.in_flight) == ([3], 0)


def test_casts_of_a_refused_request_are_lost(ledger: Ledger, custody: Custody, library: Library) -> None:
    library.deliver(3)
    custody.refuse(library.incoming[0], exceptions.MalformedMessage("no method"))
    custody.end(library.incoming[0])
    assert (ledger.refused, ledger.in_flight) == (3, 0)


def test_listeners_of_other_libraries_are_left_alone(ledger: Ledger, custody: Custody) -> None:
    custody.watch(SimpleNamespace())
    custody.end(SimpleNamespace())
    assert ledger.in_flight == 0
