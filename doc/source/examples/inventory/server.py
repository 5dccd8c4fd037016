"""A plain oslo.messaging service: its code knows nothing about cells."""

from __future__ import annotations

import socket
import sys
import time
from typing import Any

import oslo_messaging
from inventory_errors import NotEnough
from oslo_config import cfg

CONF = cfg.CONF
CONF.register_cli_opt(cfg.StrOpt("host", default=socket.gethostname(), help="Name of this server."))


class NoSuchKind(Exception):
    """Raised for an unknown kind; callers do not have this class."""


class InventoryEndpoint:
    target = oslo_messaging.Target(version="1.2")

    def __init__(self) -> None:
        self.stock = {"disk": 3, "card": 5}

    def count(self, ctxt: dict[str, Any], kind: str) -> int:
        if kind not in self.stock:
            raise NoSuchKind(kind)
        return self.stock[kind]

    def take(self, ctxt: dict[str, Any], kind: str, number: int = 1) -> int:
        if number > self.stock[kind]:
            raise NotEnough(f"The stock of {kind} is below {number}.", kind=kind, there_are=self.stock[kind])
        self.stock[kind] -= number
        return self.stock[kind]

    def add(self, ctxt: dict[str, Any], kind: str, number: int = 1) -> None:
        self.stock[kind] += number

    def count_by_hand(self, ctxt: dict[str, Any], seconds: float) -> dict[str, int]:
        time.sleep(seconds)
        return self.stock

    def who_asks(self, ctxt: dict[str, Any]) -> dict[str, Any]:
        return {"host": CONF.host, "context": ctxt}


def main() -> None:
    CONF(sys.argv[1:], project="inventory")
    server = oslo_messaging.get_rpc_server(
        oslo_messaging.get_rpc_transport(CONF),
        oslo_messaging.Target(topic="inventory", server=CONF.host),
        [InventoryEndpoint()],
    )
    server.start()
    print(f"{CONF.host} serves the inventory.", flush=True)
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        server.stop()
    server.wait()


if __name__ == "__main__":
    main()
