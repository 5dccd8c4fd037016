"""The least that two managers with a link between them can do: the floor for calls over direct links.

``python -m bench.sketch_manager answer SOCKET`` answers each message on a ZeroMQ socket.
``python -m bench.sketch_manager forward SOCKET URL [STATE_PATH]`` serves calls on a transport, and forwards each to
that socket.  Both print a line when they are ready, and end at the end of their standard input.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import oslo_messaging
import zmq

from bench.plain_server import Plain, serve

TOPIC = "bench-sketch"


class Forwarder:
    """Method that forwards a call over a socket of the calling thread."""

    target = oslo_messaging.Target(version="1.0")

    def __init__(self, address: str) -> None:
        self._address = address
        self._own = threading.local()

    def ping(self, ctxt: dict[str, object]) -> dict[str, Any]:
        """Return the answer of the other process."""
        socket = getattr(self._own, "socket", None)
        if socket is None:
            socket = self._own.socket = zmq.Context.instance().socket(zmq.REQ)
            socket.connect(self._address)
        socket.send(json.dumps({"ctxt": ctxt, "method": "ping"}).encode())
        answer: dict[str, Any] = json.loads(socket.recv())
        return answer


def answer(address: str) -> None:
    """Answer all messages until the end of standard input."""
    plain = Plain()
    router = zmq.Context.instance().socket(zmq.ROUTER)
    router.bind(address)

    def serve() -> None:
        while True:
            *head, body = router.recv_multipart()
            router.send_multipart([*head, json.dumps(plain.ping(json.loads(body)["ctxt"])).encode()])

    threading.Thread(target=serve, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


def forward(address: str, url: str, *state_path: str) -> None:
    """Serve calls until the end of standard input."""
    serve(oslo_messaging.Target(topic=TOPIC, server="sketch"), Forwarder(address), url, *state_path)


if __name__ == "__main__":
    {"answer": answer, "forward": forward}[sys.argv[1]](*sys.argv[2:])
