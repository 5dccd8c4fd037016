"""Shortest call of a service in another cell; the guide and the README show it."""

from __future__ import annotations

import sys
from typing import Any

import oslo_messaging
from oslo_config import cfg

import cells.rpc

CONF = cfg.CONF


def count_disks(context: dict[str, Any]) -> None:
    # begin
    transport = oslo_messaging.get_rpc_transport(CONF)
    client = cells.rpc.get_rpc_client(transport, oslo_messaging.Target(topic="inventory", version="1.2"))
    print(client.prepare(cell="api!east!az1").call(context, "count", kind="disk"))
    for cell, answer in client.prepare(cells="down").multicall(context, "count", kind="disk"):
        print(cell, answer)
    # end
    transport.cleanup()


if __name__ == "__main__":
    CONF(sys.argv[1:], project="inventory-client")
    count_disks({"user": "ada"})
