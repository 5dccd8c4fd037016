"""Script: service that receives messages over a connection of cells.rpc and prints them for a test.

It prints a line ``"ready"`` and then one line of JSON per message, ``[method, number, user]``, and ends
at the end of its standard input.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from oslo_service import backend

backend.init_backend(backend.BackendType.THREADING)

from oslo_config import cfg  # noqa: E402  # the next imports need the chosen threading back end

import cells.rpc  # noqa: E402


def write(value: Any) -> None:
    # One write per line, because several threads print.
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


class Proxy:
    def __init__(self, name: str) -> None:
        self._name = name

    def note(self, context: cells.rpc.CommonRpcContext, number: int) -> str:
        write(["note", number, context.user_id])
        return self._name

    def hang(self, context: cells.rpc.CommonRpcContext, number: int) -> None:
        write(["hang", number, context.user_id])
        threading.Event().wait()


def callback(message: dict[str, Any]) -> None:
    context = cells.rpc.current_context()
    assert context is not None
    write([message["method"], message["args"]["number"], context.user_id])


def main(config_file: str, kind: str, topic: str, name: str) -> None:
    """Consume until the end of standard input; ``name`` is the name of a pool, or the answer to calls."""
    conf = cfg.ConfigOpts()
    conf(["--config-file", config_file], project="service", default_config_dirs=[])
    cells.rpc.init(conf)
    connection = cells.rpc.create_connection()
    if kind == "worker":
        connection.create_worker(topic, Proxy(name), name)
    elif kind == "pool":
        connection.join_consumer_pool(callback, name, topic)
    else:
        connection.create_consumer(topic, Proxy(name), fanout=kind == "fanout")
    connection.consume_in_thread()
    write("ready")
    sys.stdin.read()
    cells.rpc.cleanup()


if __name__ == "__main__":
    main(*sys.argv[1:])
