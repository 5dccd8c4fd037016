"""Run oslo.messaging's own tests against this project, and print one line per suite.

::

    python -m tests.library                 # all suites
    python -m tests.library tcp client      # some of them

=========== ==================================================================================================
``zmq``     the functional tests over ``zmq+ipc://``
``tcp``     the same over ``zmq://`` with an address of this machine, encrypted
``rabbit``  the same over RabbitMQ: the result to compare with
``client``  the tests of the RPC client, with :class:`cells.rpc.RPCClient` in place of ``oslo_messaging.RPCClient``
=========== ==================================================================================================

The tests replace functions of the library for the whole process, so each suite runs in a process of its own.  They
need the packages of the extra ``library``.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence

from cells.brokerless.keys import KeyStore
from tools.virtual_hosts import VirtualHosts

RUN = (sys.executable, "-m", "tests.library.suite")
TIMEOUT_SECONDS = 900
RABBIT_URL = os.environ.get("CELLS_TEST_RABBIT_URL", "rabbit://guest:guest@127.0.0.1:5672/")


def main(names: Sequence[str]) -> int:
    """Run the suites ``names``, by default all; return the exit status of the process."""
    unknown = set(names) - SUITES.keys()
    if unknown:
        sys.stderr.write(f"No suite is called {', '.join(sorted(unknown))}: the suites are {', '.join(SUITES)}.\n")
        return 2
    statuses = {name: SUITES[name]() for name in names or SUITES}
    for name, status in statuses.items():
        sys.stdout.write(f"{name}: {'passed' if status == 0 else 'FAILED'}\n")
    return int(any(statuses.values()))


def _zmq() -> int:
    with tempfile.TemporaryDirectory(prefix="cells-library-") as directory:
        return _functional(f"zmq+ipc://{directory}")


def _tcp() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="cells-library-") as directory:
        KeyStore(directory).create()
        # All servers of a test share one process and with it one address.
        return _functional(f"zmq://127.0.0.1:{port}/", CELLS_TEST_KEYS_DIR=directory)


def _rabbit() -> int:
    hosts = VirtualHosts(RABBIT_URL, "cells-library")
    try:
        return _functional(hosts.create(1)[0])
    finally:
        hosts.delete()


def _client() -> int:
    return _run("client")


def _functional(url: str, **options: str) -> int:
    return _run("functional", RPC_TRANSPORT_URL=url, NOTIFY_TRANSPORT_URL=url, **options)


def _run(suite: str, **variables: str) -> int:
    environment = {
        **os.environ,
        # A log with the failed tests, not all lines of all tests.
        "OS_LOG_CAPTURE": "1",
        # A test starts ``python3 -m oslo_metrics``, which must find the package.
        "PATH": os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath))),
        **variables,
    }
    return subprocess.run([*RUN, suite], env=environment, check=False, timeout=TIMEOUT_SECONDS).returncode


SUITES: dict[str, Callable[[], int]] = {"zmq": _zmq, "tcp": _tcp, "rabbit": _rabbit, "client": _client}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
