"""OwnBus: the bus of the own cell between its managers, for drivers whose links are connections of single managers.

The managers serve a topic of their own beside that of services: a manager that stops takes no more requests of
services, but still takes the answers to its calls, which may have arrived at another manager.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import oslo_messaging

from cells import exceptions, failure
from cells.counters import Counters
from cells.drivers.siblings import Links, Outcome, Parcel, Sibling
from cells.futures import then
from cells.limited_log import LimitedLog
from cells.manager.seals import Seals
from cells.transport import declaring
from cells.transport.errors import BROKER_ERRORS, may_arrive
from cells.transport.patches.reachability import RequestLimits
from cells.transport.server import get_server

LOG = logging.getLogger(__name__)

_NAMESPACE, _VERSION = "siblings", "1.0"
#: Limit of the time until the broker has a message.
_SEND_SECONDS = 5.0
#: Timeout of the answer to messages that are handed over, and what a call takes beyond the wait for the neighbor.
_ANSWER_SECONDS = 5.0
#: One retry reopens a connection that the broker closed while it was idle.
_RETRY = 1
_AT_LEAST_ONE_SERVER = oslo_messaging.TransportOptions(at_least_once=True)
_TRANSPORT_ERRORS = (oslo_messaging.MessagingException, oslo_messaging.MessageUndeliverable, *BROKER_ERRORS)
_MODULES = ("cells.exceptions",)


class SiblingEndpoint:
    """RPC endpoint of a manager for the other managers of its cell; each call has a body and its seal.

    Every user of the broker can call it: a call with other arguments is refused and counted like one with a wrong seal.
    """

    target = oslo_messaging.Target(namespace=_NAMESPACE, version=_VERSION)

    def __init__(self, sibling: Sibling, seals: Seals, counters: Counters) -> None:
        self._sibling = sibling
        self._seals = seals
        self._counters = counters
        self._log = LimitedLog(LOG)

    def hear(self, ctxt: dict[str, Any], body: object = "", seal: object = "", **unknown: object) -> None:  # noqa: ARG002
        """Take ``host, incarnation, links`` of a manager; see :meth:`cells.drivers.siblings.Sibling.hear`."""
        self._sibling.hear(**self._open("hear", body, seal))

    def forward(
        self,
        ctxt: dict[str, Any],  # noqa: ARG002  # oslo's signature
        body: object = "",
        seal: object = "",
        **unknown: object,  # noqa: ARG002
    ) -> futures.Future[list[str | None]]:
        """Send ``parcels`` to ``neighbor``; return a future of None, or the text of the error, for each of them."""
        arguments = self._open("forward", body, seal)
        sent = self._sibling.forward(arguments["neighbor"], [Parcel(*values) for values in arguments["parcels"]])
        return then(sent, lambda outcomes: [None if error is None else failure.to_json(error) for error in outcomes])

    def take(self, ctxt: dict[str, Any], body: object = "", seal: object = "", **unknown: object) -> None:  # noqa: ARG002
        """Take ``payloads`` of ``neighbor`` that have arrived at another manager, ``age_seconds`` ago."""
        self._sibling.take(**self._open("take", body, seal))

    def _open(self, method: str, body: object, seal: object) -> dict[str, Any]:
        try:
            return self._seals.open(method, str(body), str(seal))
        except exceptions.CallNotAllowed as error:
            self._counters.count("rejected", type(error).__name__)
            self._log.warn_about(error.message[:60], "%s", error.message)
            raise


class OwnBus:
    """Implements :class:`cells.drivers.siblings.SiblingBus` with the RPC of oslo.messaging.  Thread-safe."""

    def __init__(
        self,
        open_transport: Callable[[], Any],
        target: oslo_messaging.Target,
        wall_clock: Callable[[], float],
        counters: Counters,
    ) -> None:
        """:param open_transport: opens a transport to the broker of this cell
        :param target: of this manager, as services call it
        """
        self._counters = counters
        self._open_transport = open_transport
        self._host = target.server
        self._target = oslo_messaging.Target(topic=f"{target.topic}.siblings", exchange=target.exchange)
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._seals: Seals | None = None
        self._transport: Any = None
        self._client: Any = None
        self._within: Any = None
        self._server: Any = None

    def start(self, sibling: Sibling, secret: Callable[[], bytes]) -> None:
        transport = self._opened()
        seals = Seals(self._host, secret, self._wall_clock)
        declaring.check(transport, self._target.topic, self._target.exchange)
        server = get_server(
            transport, self._target(server=self._host), [SiblingEndpoint(sibling, seals, self._counters)]
        )
        server.start()
        with self._lock:
            self._server, self._seals = server, seals

    def _sealed(self, method: str, to: str, arguments: dict[str, Any]) -> dict[str, str]:
        if self._seals is None:
            raise exceptions.NeighborUnreachable("The bus between the managers of this cell has not started.")
        return self._seals.seal(method, to, arguments)

    def _opened(self) -> Any:
        with self._lock:
            if self._transport is None:
                self._transport = self._open_transport()
                self._within = RequestLimits(self._transport).within
                target = self._target(namespace=_NAMESPACE, version=_VERSION)
                self._client = oslo_messaging.get_rpc_client(self._transport, target, retry=_RETRY)
            return self._transport

    def tell(self, incarnation: str, links: Links | None, host: str = "") -> None:
        found = None if links is None else {neighbor: list(hosts) for neighbor, hosts in links.items()}
        to = {"server": host} if host else {"fanout": True}
        arguments = {"host": self._host, "incarnation": incarnation, "links": found}
        sealed = self._sealed("hear", host, arguments)
        try:
            self._opened()
            with self._within(_SEND_SECONDS):
                self._client.prepare(**to).cast({}, "hear", **sealed)
        except _TRANSPORT_ERRORS as error:
            raise _unreachable(host or "of all hosts", error) from error

    def forward(self, host: str, neighbor: str, parcels: Sequence[Parcel]) -> list[Outcome]:
        seconds = max(parcel.seconds for parcel in parcels) + _ANSWER_SECONDS
        values = [list(vars(parcel).values()) for parcel in parcels]
        found = self._call(host, seconds, "forward", neighbor=neighbor, parcels=values)
        return [None if text is None else _error_of(text) for text in found]

    def hand_over(self, host: str, neighbor: str, payloads: Sequence[str], age_seconds: float) -> None:
        arguments = {"neighbor": neighbor, "payloads": list(payloads), "age_seconds": age_seconds}
        self._call(host, _ANSWER_SECONDS, "take", **arguments)

    def _call(self, host: str, seconds: float, method: str, **arguments: Any) -> Any:
        """:raises cells.exceptions.NeighborUnreachable: there is no answer"""
        sealed = self._sealed(method, host, arguments)
        try:
            self._opened()
            prepared = self._client.prepare(server=host, timeout=seconds, transport_options=_AT_LEAST_ONE_SERVER)
            with self._within(seconds, _SEND_SECONDS):
                return prepared.call({}, method, **sealed)
        except oslo_messaging.RPCDispatcherError as error:
            raise _unreachable(host, error) from error
        except _TRANSPORT_ERRORS as error:
            raise _unreachable(host, error, is_unknown=may_arrive(error)) from error
        except Exception as error:  # the other manager has raised it
            is_refused = getattr(error, "exc_type", "") == exceptions.CallNotAllowed.__name__
            raise _unreachable(host, error, is_unknown=not is_refused) from error

    def stop_serving(self) -> None:
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.stop()
            server.wait()

    def close(self) -> None:
        self.stop_serving()
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.cleanup()


def _error_of(text: str) -> exceptions.CellsError:
    error = failure.from_json(text, _MODULES)
    return error if isinstance(error, exceptions.CellsError) else exceptions.NeighborUnreachable(str(error))


def _unreachable(host: str, error: Exception, *, is_unknown: bool = False) -> exceptions.NeighborUnreachable:
    text = f"Manager {host} of this cell has not answered ({failure.name_of(error)}: {failure.text_of(error)})."
    if is_unknown:
        text = f"{text} {exceptions.MAY_HAVE_ARRIVED}"
    return exceptions.NeighborUnreachable(text, may_arrive=is_unknown or None)
