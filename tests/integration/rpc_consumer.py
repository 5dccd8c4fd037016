"""A service that takes messages over a connection of cells.rpc, as a script; a test reads what it got.

It writes one line of JSON for each message, ``[method, number, user]``, after a line ``"ready"``, and ends
with its standard input.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from oslo_service import backend

backend.init_backend(backend.BackendType.THREADING)

from oslo_config import cfg  # noqa: E402  # what follows asks for the kind of concurrency

import cells.rpc  # noqa: E402


def write(what: Any) -> None:
    # One write for each line: several threads have something to say.
    sys.stdout.write(f"{json.dumps(what)}\n")
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
    """Consume until nobody reads any more; ``name`` is that of a pool, or what a call answers."""
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
