"""The RPC server of a manager, on the broker of its own cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import oslo_messaging

from cells.transport import declaring
from cells.transport.custody import Custody, Ledger
from cells.transport.loopback import Loopback
from cells.transport.server import get_server

_CASTS = frozenset(("cast", "broadcast_cast"))


class ManagerServer:
    """Transport and RPC server through which services of this cell reach the manager."""

    def __init__(
        self,
        open_transport: Callable[[], Any],
        target: oslo_messaging.Target,
        endpoints: Sequence[object],
        ledger: Ledger,
    ) -> None:
        """:param open_transport: opens a transport to the broker of this cell, without I/O
        :param ledger: counts the casts that are read and not dispatched yet
        """
        #: proves that requests arrive
        self.loopback = Loopback(open_transport, [target])
        self._transport = open_transport()
        self._target = target
        self._endpoints = [*endpoints, self.loopback.endpoint]
        self._custody = Custody(ledger, _casts_in)
        self._server: Any = None

    def start(self) -> None:
        """Serve requests; raises an error of the transport's library if the broker is away or refuses a queue.

        May be called again.
        """
        declaring.check(self._transport, self._target.topic, self._target.exchange)
        self._server = get_server(self._transport, self._target, self._endpoints, custody=self._custody)
        self._server.start()

    def stop(self) -> None:
        """Take no more requests; those in progress go on."""
        if self._server is not None:
            self._server.stop()

    def close(self) -> None:
        """Wait until the remaining replies are sent, and close the transport."""
        if self._server is not None:
            self._server.wait()
        self._transport.cleanup()


def _casts_in(request: Mapping[str, Any]) -> int:
    """Return the number of casts in a request of a service; the cast of a service to another one is a call here."""
    if request.get("namespace"):
        return 0
    method, arguments = request.get("method"), request.get("args")
    casts = arguments.get("casts") if method == "cast_many" and isinstance(arguments, dict) else None
    return len(casts) if isinstance(casts, list) else int(method in _CASTS)
