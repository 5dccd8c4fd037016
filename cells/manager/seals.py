"""Seals: messages between the managers of one cell prove that their sender has the key of the cell.

A user of the cell's broker may write to the topic of the managers, but has no file of theirs.  Without seals it could
speak for neighbors with a direct link, whose messages are otherwise proved by their certificates.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from cells import exceptions

#: A message is refused if it is older, or newer, by the clocks of both managers.
MAX_AGE_SECONDS = 300.0
#: Ids of messages that are remembered, so that none is taken twice.
_MAX_IDS = 100_000


class Seals:
    """Sealer and checker of the messages of one manager.  Thread-safe."""

    def __init__(self, host: str, secret: Callable[[], bytes], wall_clock: Callable[[], float]) -> None:
        """:param host: of this manager
        :param secret: returns the bytes that all managers of the cell have
        """
        self._host = host
        self._secret = secret
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        #: id -> until when it is remembered
        self._seen: OrderedDict[str, float] = OrderedDict()

    def seal(self, method: str, to: str, arguments: Mapping[str, Any]) -> dict[str, str]:
        """Return the arguments of a call that :meth:`open` takes.

        :param to: the host of the manager that is called; empty: all managers
        """
        values = {"to": to, "at": self._wall_clock(), "id": uuid.uuid4().hex, "arguments": arguments}
        body = json.dumps(values)
        return {"body": body, "seal": self._sign(method, body)}

    def open(self, method: str, body: str, seal: str) -> dict[str, Any]:
        """Return the arguments of a call.

        :raises cells.exceptions.CallNotAllowed: the call is not by a manager of this cell, for another one, too old, or
            was opened before
        """
        if not hmac.compare_digest(self._sign(method, body).encode(), _bytes_of(seal)):
            raise exceptions.CallNotAllowed(
                "A message for a manager of this cell is refused: its sender has not the same [cells_direct] key.",
                method=method,
            )
        values: dict[str, Any] = json.loads(body)
        now = self._wall_clock()
        if values["to"] not in ("", self._host) or abs(now - values["at"]) > MAX_AGE_SECONDS:
            raise exceptions.CallNotAllowed(
                f"A message for manager {values['to'] or self._host} of this cell, {now - values['at']:.0f} s old, is "
                "refused: compare the clocks of the managers.",
                method=method,
            )
        with self._lock:
            while self._seen and (len(self._seen) >= _MAX_IDS or next(iter(self._seen.values())) < now):
                self._seen.popitem(last=False)
            is_new = values["id"] not in self._seen
            self._seen[values["id"]] = now + 2 * MAX_AGE_SECONDS
        if not is_new:
            raise exceptions.CallNotAllowed("A message for a manager of this cell came twice.", method=method)
        arguments: dict[str, Any] = values["arguments"]
        return arguments

    def _sign(self, method: str, body: str) -> str:
        return hmac.new(self._secret(), _bytes_of(f"{method}\n{body}"), hashlib.sha256).hexdigest()


def _bytes_of(text: str) -> bytes:
    # The text may be half of a pair of surrogates, which JSON can write.
    return text.encode("utf-8", "surrogatepass")
