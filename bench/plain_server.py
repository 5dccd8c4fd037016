"""The process that answers the plain oslo.messaging calls: the unit of the benchmark.

``python -m bench.plain_server URL`` prints a line when it serves, and ends when its
standard input does.
"""

from __future__ import annotations

import sys

import oslo_messaging

from tools.transports import connect

TOPIC = "bench"
SERVER = "plain"


class Plain:
    """Answers as much as the ping of a cell does."""

    target = oslo_messaging.Target(version="1.0")

    def ping(self, ctxt: dict[str, object]) -> dict[str, object]:
        """A small answer."""
        return {"name": SERVER, "path": SERVER, "host": SERVER, "context": len(ctxt), "children": []}


def main() -> None:
    """Serve until standard input ends."""
    target = oslo_messaging.Target(topic=TOPIC, server=SERVER)
    server = oslo_messaging.get_rpc_server(connect(sys.argv[1]), target, [Plain()])
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop()
    server.wait()


if __name__ == "__main__":
    main()
