"""A child process with a transport of its parent: each message fails at once, and a transport of its own works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.transports import Transports

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, sys, time
import cells.cmd
import oslo_messaging
from oslo_config import cfg
from cells import exceptions
from cells.rpc import RPCClient
from cells.rpcapi import CellsAPI
from cells.transport import open_transport

class Inventory:
    def echo(self, ctxt, value):
        return value

def opened():
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    transport = open_transport(conf, sys.argv[1])
    return transport, RPCClient(transport, oslo_messaging.Target(topic="inventory"), timeout=60)

serving, _ = opened()
target = oslo_messaging.Target(topic="inventory", server="one")
server = oslo_messaging.get_rpc_server(serving, target, [Inventory()])
server.start()
transport, client = opened()
api = CellsAPI(transport)
assert client.call({}, "echo", value=1) == 1

child = os.fork()
if child == 0:
    started = time.monotonic()
    for send in (
        lambda: client.call({}, "echo", value=2),
        lambda: client.cast({}, "echo", value=2),
        lambda: client.prepare(cell="east").call({}, "echo", value=2),
        lambda: api.call({}, "east", "ping"),
        lambda: api.cast({}, "east", "ping"),
        lambda: api.report_capacities({}, {}),
    ):
        try:
            send()
        except oslo_messaging.MessageDeliveryFailure as error:
            assert "fork" in str(error), error
        else:
            os._exit(1)
    assert time.monotonic() - started < 30
    assert opened()[1].call({}, "echo", value=3) == 3
    print("done", flush=True)
    os._exit(0)

_, status = os.waitpid(child, 0)
assert client.call({}, "echo", value=4) == 4
os._exit(status and 1)
"""


def test_a_transport_that_was_used_before_a_fork_is_refused(transports: Transports) -> None:
    """(case H4)"""
    url = transports.take().neighbor_url
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM, url]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
