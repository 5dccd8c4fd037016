"""A plain oslo.messaging server in its own process: the unit of the benchmark, and the service that it calls.

``python -m bench.plain_server URL [STATE_PATH]`` prints a line when the server is ready, and ends at the
end of its standard input.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from pathlib import Path

import oslo_messaging

from bench.endpoints import summary
from tools.transports import connect

TOPIC = "bench"
SERVER = "plain"
#: Number of calls that are processed at a time.
THREADS = 256


class Plain:
    """Methods with the same work as the endpoints of a cell."""

    target = oslo_messaging.Target(version="1.0")

    def __init__(self) -> None:
        self._arrivals: dict[str, list[tuple[int, float]]] = defaultdict(list)

    def ping(self, ctxt: dict[str, object]) -> dict[str, object]:
        """Return a small answer."""
        return {"name": SERVER, "path": SERVER, "host": SERVER, "context": len(ctxt), "children": []}

    def sleep(self, ctxt: dict[str, object], seconds: float) -> None:  # noqa: ARG002  # oslo's signature
        """Sleep for ``seconds``."""
        time.sleep(seconds)

    def length(self, ctxt: dict[str, object], text: str) -> int:  # noqa: ARG002
        """Return the length of an argument of any size."""
        return len(text)

    def arrive(self, ctxt: dict[str, object], series: str, number: int, filler: str = "") -> None:  # noqa: ARG002
        """Count a cast."""
        self._arrivals[series].append((number, time.monotonic()))

    def arrived(self, ctxt: dict[str, object], series: str, expected: int) -> dict[str, object]:  # noqa: ARG002
        """Return how many casts of a series have arrived, and when."""
        return summary(self._arrivals[series], expected)


def main() -> None:
    """Serve until the end of standard input."""
    serve(oslo_messaging.Target(topic=TOPIC, server=SERVER), Plain(), *sys.argv[1:])


def serve(target: oslo_messaging.Target, endpoint: object, url: str, *state_path: str) -> None:
    """Serve an endpoint until the end of standard input."""
    transport = connect(url, *map(Path, state_path))
    server = oslo_messaging.get_rpc_server(transport, target, [endpoint])
    transport.conf.set_override("executor_thread_pool_size", THREADS)
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop()
    server.wait()


if __name__ == "__main__":
    main()
