"""One suite of oslo.messaging's own tests, in a process of its own: ``python -m tests.library.suite NAME``."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import types
import unittest
from collections.abc import Callable
from typing import Any

from oslo_service import backend

# Before the import of oslo.messaging, which would choose eventlet.
backend.init_backend(backend.BackendType.THREADING)

import eventlet  # noqa: E402  # a dependency of the tests of oslo.messaging

# Their package replaces the threads of the process by those of eventlet when it is imported.
eventlet.monkey_patch = lambda: None

import oslo_messaging  # noqa: E402
from oslo_config import cfg  # noqa: E402

from cells import rpc  # noqa: E402
from cells.conf import zmq  # noqa: E402

#: The functions of oslo.messaging whose executor the functional tests name.
SERVERS = ("get_rpc_server", "get_notification_listener", "get_batch_notification_listener")


def functional() -> list[types.ModuleType]:
    """Return the tests of a transport, which the environment names; their servers use threads."""
    # The tests read no configuration file, and accept no option of this project in a URL.
    keys_dir = os.environ.get("CELLS_TEST_KEYS_DIR")
    if keys_dir:
        cfg.set_defaults(zmq.OPTIONS, keys_dir=keys_dir)
    for name in SERVERS:
        setattr(oslo_messaging, name, _with_threads(getattr(oslo_messaging, name)))
    return [
        importlib.import_module(f"oslo_messaging.tests.functional.{name}")
        for name in ("test_functional", "notify.test_logger")
    ]


def _with_threads(make_server: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(make_server)
    def make(*arguments: Any, **options: Any) -> Any:
        options = {key: _threads(value) for key, value in options.items()}
        return make_server(*(_threads(value) for value in arguments), **options)

    return make


def _threads(value: Any) -> Any:
    # Some targets cannot be compared with a text.
    return "threading" if isinstance(value, str) and value == "eventlet" else value


def client() -> list[types.ModuleType]:
    """Return the tests of the RPC client, which use :class:`cells.rpc.RPCClient` instead of the library's class."""
    tests = importlib.import_module("oslo_messaging.tests.rpc.test_client")
    replaced = {"RPCClient": rpc.RPCClient, "get_rpc_client": rpc.get_rpc_client}
    # Only the tests see these names: the client of this project uses those of the library.
    tests.oslo_messaging = types.SimpleNamespace(**{**vars(oslo_messaging), **replaced})  # type: ignore[attr-defined]
    return [tests]


def main(name: str) -> int:
    """Run a suite; return the exit status: 1 if a test fails, or if none runs."""
    modules = {"functional": functional, "client": client}[name]()
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromModule(module) for module in modules)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    is_empty = result.testsRun == len(result.skipped)
    return 0 if result.wasSuccessful() and not is_empty else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
