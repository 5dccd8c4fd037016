"""Casts that a broker has handed over, and that are not dispatched yet: a killed manager must not forget them.

A listener of oslo.messaging acknowledges a request when it reads it, before it is dispatched.  RabbitMQ forgets the
request then, and if the manager is killed before the parts that the request calls have counted its casts, no count
would show them.  So they are counted before the acknowledgement, until the request is dispatched.  An acknowledgement
after the dispatch would lose none, but the casts of a manager that was killed in between would run twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cells import exceptions

#: Returns the number of messages without an answer in a request, an object with ``method`` and ``args``.  Never raises.
CountCasts = Callable[[Mapping[str, Any]], int]


class Ledger(Protocol):
    """The counts of casts.  No method blocks or raises."""

    def take(self, casts: int) -> None:
        """Count casts as in flight."""

    def pass_on(self, casts: int) -> None:
        """Count casts as no longer in flight."""

    def refuse(self, casts: int, error: exceptions.CellsError) -> None:
        """Count casts that the server refuses as lost."""


class Custody:
    """The casts that one server has read and not dispatched yet."""

    def __init__(self, ledger: Ledger, count: CountCasts) -> None:
        self._ledger = ledger
        self._count = count

    def watch(self, listener: Any) -> None:
        """Count the casts that ``listener``, which is not started yet, reads; for RabbitMQ only."""
        poll_style = getattr(listener, "_poll_style_listener", None)
        context = getattr(poll_style, "conn", None)
        for consumer in getattr(getattr(context, "connection", None), "_consumers", None) or ():
            consumer.callback = self._counting(consumer.callback, poll_style)

    def _counting(self, read: Callable[[Any], None], listener: Any) -> Callable[[Any], None]:
        def count_and_read(request: Any) -> None:
            casts, before = self._count(request), len(listener.incoming)
            self._ledger.take(casts)
            try:
                read(request)  # acknowledges it
            finally:
                if len(listener.incoming) > before:
                    listener.incoming[-1].casts_in_custody = casts
                else:
                    self._ledger.pass_on(casts)

        return count_and_read

    def end(self, incoming: Any) -> None:
        """Note that a request is dispatched, or refused."""
        self._ledger.pass_on(getattr(incoming, "casts_in_custody", 0))

    def refuse(self, incoming: Any, error: exceptions.CellsError) -> None:
        """Count the casts of a request that cannot be dispatched."""
        self._ledger.refuse(self._count(incoming.message), error)
