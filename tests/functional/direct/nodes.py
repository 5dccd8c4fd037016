"""Nodes of managers in one process, joined by connections on the loopback address."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from cells import exceptions
from cells.counters import Counters
from cells.drivers.direct.custody import CastCustody
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello, Window, Windows
from cells.drivers.direct.link_settings import LinkSettings
from cells.drivers.direct.message import Message, PassOn
from cells.drivers.direct.node import Node
from cells.drivers.direct.node_settings import Callbacks, NodeSettings, Peer
from cells.worker_threads import Runtime
from tests.unit.drivers.direct.identities import Cell
from tools.polling import poll

LOOPBACK = "127.0.0.1:0"
#: So long that no connection ends on a busy machine; a test of heartbeats sets its own.
HEARTBEAT_SECONDS = 20.0


class Manager:
    """One manager: its node, the messages that it received, and the outcomes of those that it sent."""

    def __init__(
        self,
        cell: Cell,
        host: str = "",
        *,
        listen: Sequence[str] = (LOOPBACK,),
        reconnect_seconds: float = 30.0,
        window: Window | None = None,
        queue: Window | None = None,
        max_handshakes: int = 128,
        io_threads: int = 1,
        heartbeat: float = HEARTBEAT_SECONDS,
        runtime: Runtime | None = None,
        pass_on: PassOn | None = None,
    ) -> None:
        self.cell = cell
        self.host = host or f"host-{cell.name}"
        self.received: list[tuple[str, MessageClass, bytes]] = []
        self.outcomes: dict[bytes, list[exceptions.CellsError | None]] = {}
        self.counters = Counters()
        #: called with each message, on the thread of its class
        self.on_message: Callable[[str, MessageClass, bytes], object] = lambda *_: None
        self._lock = threading.Lock()
        links = LinkSettings(reconnect_seconds=reconnect_seconds)
        if queue is not None:
            links = LinkSettings(reconnect_seconds=reconnect_seconds, queues=Windows(*[queue] * 3))
        own = Hello(
            cell=cell.name,
            host=self.host,
            incarnation=uuid.uuid4().hex,
            version="1.9",
            heartbeat=heartbeat,
            credit=Windows(*[window or Window()] * 3),
        )
        settings = NodeSettings(
            certificate=cell.certificate_file,
            key=cell.key_file,
            listen=tuple(listen),
            links=links,
            max_handshakes=max_handshakes,
            io_threads=io_threads,
        )
        callbacks = Callbacks(self._receive, CastCustody(None))
        if pass_on is not None:
            callbacks = replace(callbacks, pass_on=pass_on)
        self.node = Node(own, settings, callbacks, runtime or Runtime(), self.counters)
        self.node.start()

    @property
    def address(self) -> str:
        return self.node.addresses[0]

    def _receive(
        self, neighbor: str, message_class: MessageClass, payloads: Sequence[bytes], age: float, host: str
    ) -> None:
        assert age >= 0
        assert host
        for payload in payloads:
            with self._lock:
                self.received.append((neighbor, message_class, payload))
            self.on_message(neighbor, message_class, payload)

    def knows(self, cell: Cell, *addresses: str) -> None:
        """Register one neighbor."""
        self.node.configure([Peer(cell.name, (cell.certificate,), addresses=addresses)])

    def send(
        self,
        neighbor: Cell,
        payload: bytes,
        message_class: MessageClass = MessageClass.REQUEST,
        *,
        server: str = "",
        fanout: bool = False,
        deadline: float | None = None,
    ) -> None:
        """Send a payload that no other message has."""
        self.outcomes[payload] = []
        message = Message(
            message_class=message_class,
            payload=payload,
            on_done=self.outcomes[payload].append,
            server=server,
            fanout=fanout,
            deadline=deadline,
        )
        self.node.send(neighbor.name, message)

    def outcome(self, payload: bytes) -> exceptions.CellsError | None:
        """Return the outcome of a message, when it is known."""
        poll(lambda: self.outcomes[payload], f"the outcome of {payload!r:.40}")
        [outcome] = self.outcomes[payload]
        return outcome

    def payloads(self) -> Counter[bytes]:
        return Counter(payload for _, _, payload in list(self.received))

    def state(self, neighbor: Cell) -> str:
        status = self.node.status(neighbor.name)
        return "" if status is None else str(status["state"])

    def hosts(self, neighbor: Cell) -> tuple[str, ...]:
        return tuple(sorted(self.node.hosts(neighbor.name)))

    def wait_for(self, neighbor: Cell, *hosts: str) -> None:
        """Wait until exactly these managers of a neighbor are connected; without any, one of them."""
        if hosts:
            poll(lambda: self.hosts(neighbor) == tuple(sorted(hosts)), f"connections of {self.host} to {hosts}")
        else:
            self.wait_for_host(neighbor.name)

    def wait_for_host(self, neighbor: str) -> None:
        """Wait until a manager of a neighbor is connected."""
        poll(lambda: self.node.hosts(neighbor), f"a connection of {self.host} to {neighbor}")

    def counts(self, event: str) -> dict[str, int]:
        """Return the counts of one event by reason."""
        prefix = f"{event}."
        found = self.counters.as_dict()
        return {name.removeprefix(prefix): count for name, count in found.items() if name.startswith(prefix)}
