"""Casts that are acknowledged and not handed on yet: a killed manager must not forget them.

The peer may read the acknowledgement of a message before this manager has processed it.  A cast is recognized by a key
of its text, because reading the messages before they are queued would delay the connection.
"""

from __future__ import annotations

from collections.abc import Sequence

from cells.drivers.direct.frames import MessageClass
from cells.transport.custody import Ledger

#: In the text of each message without an answer.  Quotes inside of its content are escaped, so it is not found there.
_CAST = b'"need_response": false'


class CastCustody:
    """Counts casts in a ledger, from their arrival until they are handed on."""

    def __init__(self, ledger: Ledger | None) -> None:
        """:param ledger: None: nothing is counted"""
        self._ledger = ledger

    def begin(self, message_class: MessageClass, payloads: Sequence[bytes]) -> int:
        """Count the casts among messages; return their number."""
        if message_class is not MessageClass.REQUEST:
            return 0
        casts = sum([payload.count(_CAST) for payload in payloads])
        if casts and self._ledger is not None:
            self._ledger.take(casts)
        return casts

    def end(self, count: int) -> None:
        """Count so many casts as handed on."""
        if count and self._ledger is not None:
            self._ledger.pass_on(count)
