"""A service that calls the inventory of other cells."""

from __future__ import annotations

import sys

import oslo_messaging
from inventory_errors import NotEnough
from oslo_config import cfg

import cells.rpc

CONF = cfg.CONF


def main() -> None:
    CONF(sys.argv[1:], project="inventory-client")
    transport = oslo_messaging.get_rpc_transport(CONF, allowed_remote_exmods=["inventory_errors"])
    client = cells.rpc.get_rpc_client(transport, oslo_messaging.Target(topic="inventory", version="1.2"), timeout=3)
    context = {"user": "ada"}

    far = client.prepare(cell="api!east!az1")
    print("There are", far.call(context, "count", kind="disk"), "disks in az1.")
    print("There are", far.call(context, "take", kind="disk"), "after taking one.")
    far.cast(context, "add", kind="disk")

    try:
        far.call(context, "take", kind="disk", number=20)
    except NotEnough as error:
        print(f"{type(error).__name__}: there are {error.there_are}.")
    try:
        far.call(context, "count", kind="tape")
    except cells.rpc.RemoteError as error:
        print(f"{type(error).__name__}: {error.exc_type} {error.value}")

    by_hand = far.prepare(timeout=600, call_monitor_timeout=5)
    print("Counted by hand:", by_hand.call(context, "count_by_hand", seconds=3))

    for cell, answer in client.prepare(cells="down").multicall(context, "count", kind="card"):
        print(f"{cell}: {type(answer).__name__ if isinstance(answer, Exception) else answer}")
    transport.cleanup()


if __name__ == "__main__":
    main()
