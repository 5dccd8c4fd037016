"""The driver over oslo.messaging: it sends to a neighbor over the neighbor's own broker.

It receives with three RPC servers, one per type of message.  Each has its own consumer and
thread, so that requests do not delay responses.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import oslo_messaging

from cells import exceptions, versions
from cells.drivers.arrivals import casts_in
from cells.drivers.base import BaseCellsDriver, DriverSettings, OnMessage, Outgoing, Target
from cells.transport import declaring, link_options
from cells.transport import url as transport_url
from cells.transport.attempts import Attempts
from cells.transport.custody import Custody
from cells.transport.errors import is_forbidden, is_too_large, lacks_exchange, may_arrive, refusal_in
from cells.transport.internals import consumers, expiring
from cells.transport.link import open_link
from cells.transport.loopback import Loopback
from cells.transport.opening import open_transport
from cells.transport.patches import direct_replies
from cells.transport.patches.direct_replies import ReplyAddress
from cells.transport.rabbitmq import MAX_NAME_BYTES
from cells.transport.server import CastServer, get_server

LOG = logging.getLogger(__name__)

#: type of the messages that answer others
ANSWERS = "response"
#: Prepared clients that a link keeps: a few per manager of the neighbor.
MAX_PREPARED = 256


class InterCellRPCDispatcher:
    """The RPC endpoint for neighboring cells."""

    target = oslo_messaging.Target(version=versions.CURRENT)

    def __init__(self, on_message: OnMessage) -> None:
        self._on_message = on_message

    def process_message(self, ctxt: dict[str, Any], message: str) -> None:  # noqa: ARG002  # oslo's signature
        """Receive one message.

        :param ctxt: empty: the message contains the context of the request
        :param message: the JSON text
        """
        self._on_message(message)

    def process_messages(self, ctxt: dict[str, Any], messages: list[dict[str, Any]]) -> None:  # noqa: ARG002
        """Receive many messages; a malformed message does not affect the others.

        :param messages: objects with the keys of a message's header, and ``payload``, a JSON text
        """
        self._on_message(messages)


class _Link:
    """The open transport to one URL, and its clients."""

    def __init__(self, transport: Any, clients: dict[str, Any]) -> None:
        """:param clients: by type of message"""
        self.transport = transport
        self.users: set[str] = set()
        self._clients = clients
        self._prepared: dict[tuple[str, bool, str, str], Any] = {}

    def client(self, message: Outgoing) -> Any:
        """Return the client for messages with this type, fan-out, version and server."""
        key = (message.message_type, message.fanout, message.version, message.server)
        prepared = self._prepared.get(key)
        if prepared is None:
            # A fan-out without a receiver is no error, so it is not sent as mandatory.
            options = (
                {"fanout": True, "transport_options": None} if message.fanout else {"server": message.server or None}
            )
            prepared = self._clients[message.message_type].prepare(version=message.version, **options)
            if len(self._prepared) >= MAX_PREPARED:
                self._prepared.clear()
            self._prepared[key] = prepared
        return prepared


class InterCellRPCAPI:
    """Client of :class:`InterCellRPCDispatcher` in neighboring cells.

    It keeps one transport per URL, opened on first use and closed with the last
    link that uses it.
    """

    def __init__(self, settings: DriverSettings, open_url: Callable[[Any, str, int], Any] = open_link) -> None:
        """:param open_url: opens the transport of a link; its arguments are those of :func:`open_link`
        :raises cells.exceptions.ConfigurationError: the version cap is unknown
        """
        self._settings = settings
        self._open_url = open_url
        self.version_cap = versions.resolve_cap(settings.version_cap) or versions.CURRENT
        self._lock = threading.Lock()
        self._links: dict[str, _Link] = {}
        #: URLs whose users have no permission to write to the queues of clients
        self._out_of_reach: set[str] = set()

    def reaches_clients(self, cell: Target) -> bool:
        """Return whether this cell can send replies to the clients of ``cell``; True until a broker refuses it."""
        return direct_replies.reaches_clients(cell.transport_url) and cell.transport_url not in self._out_of_reach

    def send_message_to_cell(self, cell: Target, message: Outgoing) -> None:
        """Cast ``process_message`` on the neighbor's broker.

        :raises cells.exceptions.NeighborUnreachable: the broker did not take the message
        """
        self._cast(cell, [message], "process_message", lambda: {"message": message.to_json()})

    def reply_to_client(self, cell: Target, reply_to: str, value: str) -> None:
        """Put a value on the queue of a client of ``cell``.

        :param reply_to: a :class:`cells.transport.patches.direct_replies.ReplyAddress` as a text
        :raises cells.exceptions.ClientGone: ``reply_to`` names no queue that this cell can write to
        :raises cells.exceptions.NeighborUnreachable: the broker did not take the value
        """
        address = ReplyAddress.parse(reply_to)
        if address is None:
            raise exceptions.ClientGone(
                f"{reply_to!a:.80} is not the queue of a client of cell {cell.name}.", cell=cell.name
            )
        self._send(cell, None, lambda link: direct_replies.put(link.transport, address, value))

    def send_messages_to_cell(self, cell: Target, messages: Sequence[Outgoing]) -> None:
        """Cast ``process_messages`` on the neighbor's broker.

        :raises cells.exceptions.NeighborUnreachable: the broker did not take the messages
        """
        self._cast(
            cell, messages, "process_messages", lambda: {"messages": [message.to_item() for message in messages]}
        )

    def receivers(self, cell: Target) -> int | None:
        """Return how many managers consume requests at the neighbor's broker."""
        try:
            return consumers(self._link(cell).transport, self._topic(self._settings.message_types[0]))
        except Exception as error:  # kombu, amqp, ssl and socket each raise classes of their own
            raise _not_taken(cell, None, error, may_arrive=False) from error

    def _cast(
        self, cell: Target, messages: Sequence[Outgoing], method: str, arguments: Callable[[], dict[str, Any]]
    ) -> None:
        # Messages that share a cast differ only in their content and deadline.
        message = messages[0]
        if message.server and len(f"{self._topic(message.message_type)}.{message.server}".encode()) > MAX_NAME_BYTES:
            # No manager can have such a long name, and the library would report it as a broker that is down.
            raise _gone(cell, message)

        # A message that is sent again has less time left.
        attempts = Attempts(arguments)

        def cast(link: _Link) -> None:
            client = link.client(message)
            seconds_left = _seconds_left(messages)
            if seconds_left is not None and not transport_url.is_brokerless(cell.transport_url):
                # oslo.messaging also waits for the confirmation of the broker no longer than that.
                client = expiring(client, max(seconds_left, self._settings.send_timeout_seconds))
            with attempts:
                client.cast({}, method, **arguments())

        self._send(cell, message, cast, attempts)

    def _send(
        self,
        cell: Target,
        message: Outgoing | None,
        send: Callable[[_Link], None],
        attempts: Attempts | None = None,
    ) -> None:
        """Call ``send`` with the link to ``cell``; turn each error into one that an operator can act on."""
        try:
            send(self._link(cell))
        except exceptions.CellsError as error:
            raise exceptions.NeighborUnreachable(f"Cell {cell.name}: {error.message}", cell=cell.name) from error
        except oslo_messaging.MessageUndeliverable as error:
            if transport_url.is_brokerless(cell.transport_url):
                raise _not_taken(cell, message, error, may_arrive=False) from error
            raise _unroutable(cell, message, self._settings.conf.control_exchange) from error
        except Exception as error:  # kombu, amqp, ssl and socket each raise classes of their own
            if message is not None and message.fanout and lacks_exchange(error):
                # No manager there has started, or all have just stopped. A fan-out without a receiver is no error.
                LOG.debug("No manager of cell %s listens to a fan-out.", cell.name)
                return
            is_uncertain = may_arrive(error) or (attempts is not None and attempts.was_interrupted)
            raise (
                self._refused(cell, message, error) or _not_taken(cell, message, error, may_arrive=is_uncertain)
            ) from error

    def _refused(self, cell: Target, message: Outgoing | None, error: Exception) -> exceptions.CellsError | None:
        """Return the error about a message that a working broker refused; None if ``error`` is of another kind."""
        if message is None and is_forbidden(error):
            # The user of this cell may write only to the queues of managers: later replies go to the managers.
            self._out_of_reach.add(cell.transport_url)
            return exceptions.ClientGone(
                f"The broker of cell {cell.name} does not let this cell write to the queues of its clients.",
                cell=cell.name,
            )
        if lacks_exchange(error):
            exchange = link_options.exchange_of(cell.transport_url) or self._settings.conf.control_exchange
            return exceptions.NeighborUnreachable(
                f"The broker of cell {cell.name} has no exchange {exchange}: cells-manager of {cell.name} has never "
                f"started there, or {cell.name} has another [DEFAULT] control_exchange: set "
                f'"cells neighbor set {cell.name} --exchange NAME".',
                cell=cell.name,
            )
        refusal = refusal_in(error)
        if refusal is None:
            return None
        reason = str(refusal).rstrip(".")
        if is_too_large(refusal):
            return exceptions.MessageTooLarge(
                f"The broker of cell {cell.name} does not take a message of this size: {reason}. Send less at a time, "
                "or raise max_message_size of that broker.",
                cell=cell.name,
            )
        return exceptions.MessageRefused(
            f"The broker of cell {cell.name} refused a message: {reason}. Check the permissions of the user in its "
            f'URL ("cells neighbor show {cell.name}") and the limits of its queues.',
            cell=cell.name,
        )

    def _link(self, cell: Target) -> _Link:
        with self._lock:
            link = self._links.get(cell.transport_url)
            if link is None:
                link = self._links[cell.transport_url] = self._open(cell.transport_url)
            link.users.add(cell.name)
            return link

    def _open(self, url: str) -> _Link:
        transport = self._open_url(self._settings.conf, url, self._settings.send_timeout_seconds)
        exchange = link_options.exchange_of(url)
        clients = {}
        for message_type in self._settings.message_types:
            target = oslo_messaging.Target(topic=self._topic(message_type), exchange=exchange, version="1.0")
            client = oslo_messaging.get_rpc_client(
                transport,
                target,
                version_cap=self.version_cap,
                # One retry opens a connection again that the broker closed while it was idle.
                retry=1,
                # A missing queue is an error: otherwise the message would be lost silently.
                transport_options=oslo_messaging.TransportOptions(at_least_once=True),
            )
            clients[message_type] = client
        return _Link(transport, clients)

    def _topic(self, message_type: str) -> str:
        return f"{self._settings.queue_base}.{message_type}"

    def close_link(self, cell: Target) -> None:
        """Close the neighbor's transport unless another neighbor uses it."""
        with self._lock:
            link = self._links.get(cell.transport_url)
            if link is None:
                return
            link.users.discard(cell.name)
            if link.users:
                return
            del self._links[cell.transport_url]
        _close(link)

    def close(self) -> None:
        with self._lock:
            links, self._links = list(self._links.values()), {}
        for link in links:
            _close(link)


class CellsRPCDriver(InterCellRPCAPI, BaseCellsDriver):
    """Sends as :class:`InterCellRPCAPI`, receives with :class:`InterCellRPCDispatcher`."""

    def __init__(self, settings: DriverSettings) -> None:
        super().__init__(settings)
        own = [oslo_messaging.Target(topic=self._topic(one), server=settings.host) for one in settings.message_types]
        self._loopback = Loopback(lambda: open_transport(settings.conf, settings.transport_url), own)
        self._transport: Any = None
        self._servers: dict[str, Any] = {}

    def start_servers(self, on_message: OnMessage) -> None:
        self._transport = open_transport(self._settings.conf, self._settings.transport_url)
        declaring.check(self._transport, self._settings.queue_base)
        dispatcher = InterCellRPCDispatcher(on_message)
        for message_type in self._settings.message_types:
            target = oslo_messaging.Target(topic=self._topic(message_type), server=self._settings.host)
            endpoints = [dispatcher, self._loopback.endpoint]
            server = get_server(self._transport, target, endpoints, CastServer, self._custody(message_type))
            self._servers[message_type] = server
            server.start()

    def _custody(self, message_type: str) -> Custody | None:
        ledger = self._settings.ledger
        # A caller notices the loss of its answer.
        return None if ledger is None or message_type == ANSWERS else Custody(ledger, casts_in)

    def check_consumers(self, timeout_seconds: float) -> None:
        self._loopback.check(timeout_seconds)

    def stop_taking(self, message_types: frozenset[str]) -> None:
        servers = [server for message_type, server in self._servers.items() if message_type in message_types]
        _in_parallel(lambda server: server.stop(), servers)

    def stop_servers(self) -> None:
        servers, self._servers = self._servers, {}
        _in_parallel(_stop, list(servers.values()))
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.cleanup()
        self._loopback.close()


def _unroutable(cell: Target, message: Outgoing | None, own_exchange: str) -> exceptions.CellsError:
    """Return the error about a message for which the broker has no queue."""
    if message is None:
        return exceptions.ClientGone(
            f"The client of a reply is gone: its queue on the broker of cell {cell.name} does not exist.",
            cell=cell.name,
        )
    if message.server:
        return _gone(cell, message)
    named = link_options.exchange_of(cell.transport_url)
    return exceptions.NeighborUnreachable(
        f"The broker of cell {cell.name} has no queue of a manager at exchange {named or own_exchange}: start "
        "cells-manager there, set the same [cells] rpc_driver_queue_base in both cells, or correct its exchange or URL "
        f'with "cells neighbor set {cell.name}", --exchange or --transport-url.',
        cell=cell.name,
    )


def _not_taken(cell: Target, message: Outgoing | None, error: Exception, *, may_arrive: bool) -> exceptions.CellsError:
    """Return the error about a message that the broker did not take because it does not work, or not with this URL."""
    # The error of a library that cannot parse a URL contains a part of it, perhaps of the password.
    reason = "its URL cannot be used" if isinstance(error, ValueError) else str(error).rstrip(".")
    text = (
        f"The broker of cell {cell.name} did not take a message: {type(error).__name__}: {reason}. Check that "
        f'it runs, and its URL and password with "cells neighbor show {cell.name} --show-secrets".'
    )
    if transport_url.is_brokerless(cell.transport_url):
        if message is not None and message.server:
            # Each manager has its own address there: the others may be reachable.
            return _gone(cell, message)
        text = (
            f"Cell {cell.name} did not take a message: {reason}. Check that cells-manager runs there, and its "
            f'address with "cells neighbor show {cell.name}".'
        )
    if may_arrive:
        text = f"{text} {exceptions.MAY_HAVE_ARRIVED}"
    return exceptions.NeighborUnreachable(text, cell=cell.name, may_arrive=may_arrive or None)


def _gone(cell: Target, message: Outgoing) -> exceptions.ManagerGone:
    return exceptions.ManagerGone(
        f"The manager {message.server} of cell {cell.name} is gone: an answer to its request is dropped.",
        cell=cell.name,
    )


def _seconds_left(messages: Sequence[Outgoing]) -> float | None:
    """Return the time until the last deadline; None if a message has none, or an API version without deadlines."""
    now = time.monotonic()
    seconds = []
    for message in messages:
        if message.deadline is None or not versions.speaks(message.version, versions.TIME_LEFT):
            return None
        seconds.append(message.deadline - now)
    return max(seconds)


def _in_parallel(stop: Callable[[Any], None], servers: Sequence[Any]) -> None:
    """Stop servers in parallel: each stop waits for its consumer to wake up."""
    if servers:
        with futures.ThreadPoolExecutor(len(servers), "cells-stop") as pool:
            list(pool.map(stop, servers))


def _stop(server: Any) -> None:
    server.stop()
    server.wait()


def _close(link: _Link) -> None:
    try:
        link.transport.cleanup()
    except Exception as error:  # the connection to a broker that is down cannot be closed cleanly
        LOG.debug("Closing a connection failed: %s", error)
