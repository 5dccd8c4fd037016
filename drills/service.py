"""Script: a service of one cell that records each message, in a process of its own.

``python -m drills.service CONFIG_FILE CELL`` prints a line when it serves, and serves until
it is killed.
"""

from __future__ import annotations

import sys
import threading

import oslo_messaging

from cells import conf as cells_conf
from cells.transport import open_transport
from drills.endpoints import record

TOPIC = "drills"


class Recorder:
    """Method of the service.

    :param cell: the name of the cell
    """

    target = oslo_messaging.Target(version="1.0")

    def __init__(self, cell: str) -> None:
        self._cell = cell

    def drill(self, ctxt: dict[str, object], number: str) -> str:  # noqa: ARG002  # oslo's signature
        """Record a message, and return its number."""
        return record(self._cell, number)


def main() -> None:
    """Serve."""
    config_file, cell = sys.argv[1:]
    # The transport and its options are those of the cell.
    transport = open_transport(cells_conf.load([config_file]))
    target = oslo_messaging.Target(topic=TOPIC, server=cell)
    oslo_messaging.get_rpc_server(transport, target, [Recorder(cell)]).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
