"""Many children of one cell in one process, which answer each call and know nothing else.

``python -m bench.light_children DIRECTORY PARENT ADDRESS COUNT`` connects as each child over a direct link, prints a
line when all are connected, and ends at the end of its standard input.  The links, the headers and the answers are
those of a manager, written by the same code.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import sys
import time
import uuid
from pathlib import Path

from cells import versions
from cells.drivers.direct.events import Ended, Event, Received
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.session import Session, State
from cells.drivers.direct.stream import Stream
from cells.drivers.direct.trust import PROTOCOL
from cells.messages import Response
from cells.messages.codec import parse
from cells.messages.header import DEFAULT_MAX_HOP_COUNT
from cells.messages.response import ResponseMessage
from cells.neighbors import Neighbors
from cells.neighbors.neighbor import Neighbor

LIMIT_BYTES = 1024 * 1024
CONNECT_SECONDS = 30.0
#: Longer than the default, because one thread serves all children: a busy one must not be taken for dead.
HEARTBEAT_SECONDS = 10.0
#: Acknowledgements that accompany no answer wait for so long.
ACK_SECONDS = 0.002


class LightChild:
    """One child: its connection, and its answers."""

    def __init__(self, name: str, parent: str, address: tuple[str, int], context: ssl.SSLContext) -> None:
        self._name = name
        self._path = f"{parent}!{name}"
        self._neighbors = Neighbors.of([Neighbor(parent, "", is_parent=True, driver="direct")])
        own = Hello(
            cell=name,
            host=name,
            incarnation=uuid.uuid4().hex,
            version=versions.CURRENT,
            heartbeat=HEARTBEAT_SECONDS,
        )
        self._session = Session(
            own, lambda peer: Stream(own.incarnation, peer.incarnation), time.monotonic, dialed=True
        )
        self.socket = context.wrap_socket(socket.create_connection(address, CONNECT_SECONDS))
        self.write()
        while self._session.state is not State.OPEN:
            self.read()

    def read(self) -> bool:
        """Take what has arrived and answer it; return whether an acknowledgement remains to be written."""
        events: list[Event] = []
        while True:
            data = self.socket.recv(65536)
            events += self._session.receive(data) if data else self._session.lost("the parent has closed it")
            if not data or not self.socket.pending():
                break
        received = [event for event in events if isinstance(event, Received)]
        if any(isinstance(event, Ended) for event in events):
            raise RuntimeError(f"The link of {self._name} has ended: {self._session.error}")
        has_answered = False
        for event in received:
            for payload in event.payloads:
                has_answered |= self._answer(payload)
            self._session.release(event.message_class, len(event.payloads), event.charge)
        self.write()
        return bool(received) and not has_answered

    def write(self) -> None:
        """Write the frames that are due."""
        data = self._session.bytes_to_send()
        if data:
            self.socket.sendall(data)

    def _answer(self, payload: bytes) -> bool:
        has_answered = False
        came = json.loads(payload)
        for one in came if isinstance(came, list) else [payload.decode()]:
            message = parse(one, LIMIT_BYTES, DEFAULT_MAX_HOP_COUNT, time.monotonic()).arrived_at(self._name)
            if message.needs_response:
                response = Response(str(message.route), value=self._description()).encoded()
                answer = ResponseMessage.answering(message, (response,))
                [hop] = answer.plan(self._neighbors, lambda _: versions.CURRENT).hops
                sealed = answer.sealed_as(hop.form, LIMIT_BYTES)
                text = f"[{json.dumps(sealed.to_item())}]" if sealed.may_share_a_cast else sealed.to_json()
                has_answered |= self._session.send(MessageClass.RESPONSE, text.encode(), answer.id)
        return has_answered

    def _description(self) -> dict[str, object]:
        """Return the answer to a ping."""
        about = {"cell": self._path, "path": self._path, "is_placed": True, "subtree": {}}
        return {**about, "host": self._name, "version": versions.CURRENT}


def child_names(count: int) -> list[str]:
    """Return the names of so many children."""
    return [f"child{number}" for number in range(count)]


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The parent is started by the benchmark itself, on this host.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([PROTOCOL])
    context.load_cert_chain(certificate, key)
    return context


def main(directory: str, parent: str, address: str, count: str) -> None:
    """Connect, and answer until the end of standard input."""
    host, _, port = address.rpartition(":")
    selector = selectors.DefaultSelector()
    children = []
    for name in child_names(int(count)):
        # As :class:`bench.children.Parent` has written them.
        context = _context(Path(directory, f"{name}.crt"), Path(directory, f"{name}.key"))
        child = LightChild(name, parent, (host, int(port)), context)
        selector.register(child.socket, selectors.EVENT_READ, child)
        children.append(child)
        _serve(selector, 0.0)
    print("ready", flush=True)
    selector.register(sys.stdin, selectors.EVENT_READ)
    beats_at = 0.0
    while _serve(selector, HEARTBEAT_SECONDS / 2):
        if time.monotonic() >= beats_at:
            beats_at = time.monotonic() + HEARTBEAT_SECONDS / 2
            for child in children:
                child.write()


def _serve(selector: selectors.BaseSelector, seconds: float) -> bool:
    """Serve the children whose messages arrive within so many seconds; return False at the end of standard input."""
    silent = []
    for key, _ in selector.select(seconds):
        child = key.data
        if child is None:
            return False
        if child.read():
            silent.append(child)
    if silent:
        time.sleep(ACK_SECONDS)
        for child in silent:
            child.write()
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
