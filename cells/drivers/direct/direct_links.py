"""DirectLinks: the links of one manager to the managers of its neighbors, and what the driver does with them.

A payload is the text of the argument of ``process_message`` or ``process_messages`` of the driver ``rpc``: an object is
a message that travels alone, a list has messages whose content is a text of its own, which a cell on the way does not
read.  The node is made when the first neighbor with a direct link is known, or at the start if this manager listens:
a cell without direct links needs no certificate.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cells import exceptions, versions
from cells.drivers.base import DriverSettings, LinkState, OnDone, OnMessage, Outgoing, Target
from cells.drivers.direct import payloads as payloads_of
from cells.drivers.direct import rows
from cells.drivers.direct.custody import CastCustody
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.link_settings import LinkSettings
from cells.drivers.direct.message import Message
from cells.drivers.direct.node import Node
from cells.drivers.direct.node_settings import Callbacks, NodeSettings, Peer
from cells.drivers.direct.sibling_traffic import SiblingTraffic
from cells.limited_log import LastingProblem

LOG = logging.getLogger(__name__)

#: type of the messages that answer others
_ANSWERS = "response"
#: Bound for the goodbye to the neighbors and for the last outcomes.
_CLOSE_SECONDS = 5.0
#: Messages of one frame that are handed on together; the router takes four times as many.
_BATCH = 256


class DirectLinks:
    """Thread-safe.  Its methods are those of :class:`cells.drivers.base.PostingDriver`."""

    def __init__(self, settings: DriverSettings) -> None:
        self._settings = settings
        self._options = settings.conf.cells_direct
        self._log = LastingProblem(LOG, settings.runtime.clock)
        self._lock = threading.Lock()
        self._peers: list[Peer] = []
        self._on_message: OnMessage | None = None
        self._node: Node | None = None
        self._traffic: SiblingTraffic | None = None
        #: why there is no node; None: no neighbor has needed one
        self._problem: exceptions.CellsError | None = None
        self._is_stopping = False
        #: about the own certificate
        self._warnings: list[str] = []

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses at which this manager listens."""
        return () if self._node is None else self._node.addresses

    def start_servers(self, on_message: OnMessage) -> None:
        """Listen, and dial the neighbors.

        :raises cells.exceptions.ConfigurationError: a certificate, the key or an address cannot be used
        :raises OSError: an address to listen at is in use
        """
        with self._lock:
            if self._node is not None and self._is_stopping:
                # The neighbors were told to send it nothing more.
                self._node.stop(0.0)
                self._node = None
                self._close_traffic()
            self._on_message, self._is_stopping = on_message, False
            if self._options.listen or self._peers:
                self._serve()

    def set_neighbors(self, cells: Sequence[Target]) -> None:
        with self._lock:
            self._peers = rows.peers(cells)
            if self._on_message is None or self._is_stopping or not (self._peers or self._node):
                return
            try:
                self._serve()
            except (exceptions.CellsError, OSError) as error:
                self._settings.counters.count("refused", type(error).__name__)
                self._log.log(logging.ERROR, "Direct links: %s", _text_of(error))
            else:
                self._log.end("Direct links: the certificates and addresses can be used again.")

    def _serve(self) -> None:
        """Make the node, or tell it about its neighbors.  Caller holds the lock."""
        self._warnings = rows.warnings(Path(self._options.certificate), self._settings.runtime.wall_clock())
        if self._node is not None:
            self._node.configure(self._peers)
            self._meet_siblings(self._node)
            return
        try:
            node = self._make_node()
        except (exceptions.CellsError, OSError) as error:
            self._problem = exceptions.NeighborUnreachable(f"This manager has no direct links: {_text_of(error)}")
            raise
        self._node, self._problem = node, None
        self._meet_siblings(node)

    def _meet_siblings(self, node: Node) -> None:
        if self._traffic is not None:
            self._traffic.start(node)

    def _close_traffic(self) -> None:
        traffic, self._traffic = self._traffic, None
        if traffic is not None:
            traffic.close()

    def _make_node(self) -> Node:
        options, conf = self._options, self._settings.conf
        own = Hello(
            cell=conf.cells.name,
            host=self._settings.host,
            incarnation=secrets.token_hex(16),
            version=versions.CURRENT,
            heartbeat=options.heartbeat,
            max_message_bytes=rows.longest_payload(conf.cells.max_message_bytes),
        )
        settings = NodeSettings(
            certificate=Path(options.certificate),
            key=Path(options.key),
            listen=tuple(options.listen),
            authorities=rows.authorities(options.ca),
            links=LinkSettings(
                reconnect_seconds=options.reconnect_wait,
                queues=rows.queues(conf.cells.send_queue_size, conf.cells.send_queue_bytes),
            ),
            max_handshakes=options.max_handshakes,
        )
        given = self._settings
        callbacks = Callbacks(self._take, CastCustody(given.ledger), given.on_link_state)
        if given.siblings is not None:
            traffic = SiblingTraffic(
                own, given.siblings, settings.key.read_bytes, self._take_handed_over, given.runtime, given.counters
            )
            callbacks = replace(callbacks, pass_on=traffic.pass_on, on_connections=traffic.tell_soon)
            self._traffic = traffic
        node: Node | None = None
        try:
            node = Node(own, settings, callbacks, given.runtime, given.counters)
            node.configure(self._peers)
            node.start()
        except BaseException:
            if node is not None:
                node.stop(0.0)
            # The next attempt makes another one.
            self._close_traffic()
            raise
        return node

    def _take(
        self, neighbor: str, message_class: MessageClass, payloads: Sequence[bytes], age_seconds: float, sender: str
    ) -> None:
        """Take messages of a neighbor, as :data:`cells.drivers.direct.receivers.OnMessages`."""
        if self._is_stopping and message_class is MessageClass.CONTROL:
            return
        found = [payloads_of.read(payload) for payload in payloads]
        traffic = self._traffic
        # Any manager may take a request.
        if traffic is not None and message_class is not MessageClass.REQUEST and traffic.has_siblings:
            found = [mine for came in found if (mine := traffic.sort(neighbor, sender, came)) is not None]
        self._hand_on(neighbor, found, age_seconds)

    def _take_handed_over(self, neighbor: str, payloads: Sequence[bytes], age_seconds: float) -> None:
        """Take messages that came to another manager of this cell."""
        self._hand_on(neighbor, [payloads_of.read(payload) for payload in payloads], age_seconds)

    def _hand_on(self, neighbor: str, found: Sequence[object], age_seconds: float) -> None:
        on_message = self._on_message
        if on_message is None:
            return
        together: list[object] = []
        for came in found:
            if isinstance(came, list) and len(together) + len(came) <= _BATCH:
                together += came
                continue
            if together:
                on_message(together, neighbor, age_seconds)
                together = []
            if isinstance(came, list):
                together = came
            else:
                on_message(came, neighbor, age_seconds)
        if together:
            on_message(together, neighbor, age_seconds)

    def stop_taking(self, message_types: frozenset[str]) -> None:
        if self._node is not None and message_types - {_ANSWERS}:
            self._node.stop_taking(frozenset((MessageClass.REQUEST,)))
        if self._traffic is not None:
            self._traffic.leave()

    def stop_servers(self) -> None:
        # Messages of managers about each other still come, because the connections are open; they are dropped.
        self._is_stopping = True
        if self._node is not None:
            self._node.stop_taking(frozenset((MessageClass.REQUEST, MessageClass.RESPONSE)))
            self._node.wait_until_handed_on(_CLOSE_SECONDS)
        if self._traffic is not None:
            self._traffic.stop_serving()

    def post(self, cell: Target, messages: Sequence[tuple[Outgoing, OnDone]]) -> None:
        node = self._node
        if node is None:
            problem = self._problem or exceptions.NeighborUnreachable("Direct links have not started in this manager.")
            for _, on_done in messages:
                on_done(exceptions.NeighborUnreachable(problem.message, cell=cell.name))
            return
        node.send(cell.name, *[_message(outgoing, on_done) for outgoing, on_done in messages])

    def wait_for_room(self, cell: Target, until: float) -> bool:
        return self._node is not None and self._node.wait_for_room(cell.name, until)

    def receivers(self, cell: Target) -> int | None:
        """Return how many managers of the neighbor have a connection to a manager of this cell."""
        if self._node is None:
            return None
        reached = frozenset() if self._traffic is None else self._traffic.reached(cell.name)
        return len(reached.union(self._node.hosts(cell.name)))

    def link_status(self, cell: Target) -> Mapping[str, Any] | None:
        """Return the state as :meth:`cells.drivers.direct.node.Node.status` does, and ``warnings``, a list of texts."""
        found = None if self._node is None else self._node.status(cell.name)
        if found is None:
            problem = "" if self._problem is None else self._problem.message
            found = {
                "state": LinkState.DOWN.value,
                "since": None,
                "problem": problem,
                "managers": [],
                "through": [],
                "queue": {},
                "oldest_seconds": 0.0,
            }
        return {**found, "warnings": self._warnings}

    def looked_at(self) -> Mapping[str, float]:
        """Return when each I/O thread last went round."""
        return {} if self._node is None else self._node.looked_at()

    def wait_until_idle(self, timeout_seconds: float) -> None:
        if self._node is not None:
            self._node.wait_until_idle(timeout_seconds)

    def close(self) -> None:
        with self._lock:
            self._is_stopping = True
            node, self._node = self._node, None
            self._problem = exceptions.NeighborUnreachable("The manager has stopped: the message was not sent.")
        if node is not None:
            node.stop(_CLOSE_SECONDS)
        self._close_traffic()


def _message(outgoing: Outgoing, on_done: OnDone) -> Message:
    text = f"[{outgoing.to_item_json()}]" if outgoing.may_share_a_cast else outgoing.to_json()
    return Message(
        message_class=_class_of(outgoing),
        payload=text.encode(),
        on_done=on_done,
        server=outgoing.server,
        fanout=outgoing.fanout,
        deadline=outgoing.deadline,
    )


def _class_of(outgoing: Outgoing) -> MessageClass:
    if not outgoing.kind:
        return MessageClass.CONTROL
    return MessageClass.RESPONSE if outgoing.message_type == _ANSWERS else MessageClass.REQUEST


def _text_of(error: Exception) -> str:
    return error.message if isinstance(error, exceptions.CellsError) else str(error)
