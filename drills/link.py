"""The link between ``api`` and ``east``, which drills cut and stall: all its connections go through proxies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from cells.neighbors.neighbor import Neighbor
from cells.transport import socket_address
from tools.broker_node import BrokerNode
from tools.forwarder import Forwarder


class _Link:
    """Faults of a link.

    :param forwarders: the proxies
    """

    def __init__(self, *forwarders: Forwarder) -> None:
        self._forwarders = forwarders

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        self._each(Forwarder.cut)

    def restore(self) -> None:
        """Accept connections again."""
        self._each(Forwarder.restore)

    def stall(self) -> None:
        """Keep the connections, but forward no byte."""
        self._each(Forwarder.stall)

    def resume(self) -> None:
        """Forward again."""
        self._each(Forwarder.resume)

    def close(self) -> None:
        """End the proxies."""
        self._each(Forwarder.close)

    def _each(self, act: Callable[[Forwarder], object]) -> None:
        for forwarder in self._forwarders:
            act(forwarder)


class BrokerLink(_Link):
    """Link over RabbitMQ: a proxy in front of each one's broker, for the other one."""

    def __init__(self, api: BrokerNode, east: BrokerNode) -> None:
        self._brokers = {"api": api, "east": east}
        self._to = {name: Forwarder("127.0.0.1", broker.port) for name, broker in self._brokers.items()}
        super().__init__(*self._to.values())

    def through(self, row: Neighbor) -> Neighbor:
        """Return a row of ``api`` or ``east`` whose URL leads to the proxy."""
        old, new = self._brokers[row.name].port, self._to[row.name].port
        return dataclasses.replace(row, transport_url=row.transport_url.replace(f":{old}/", f":{new}/"))


class DirectLink(_Link):
    """Direct link: a proxy in front of the manager of ``api``, which those of ``east`` connect to."""

    def __init__(self, api: Neighbor) -> None:
        host, port = socket_address.split(api.addresses or "")
        self._to_api = Forwarder(host, port)
        super().__init__(self._to_api)

    def through(self, row: Neighbor) -> Neighbor:
        """Return a row whose address leads to the proxy; that of ``east`` has none."""
        return row if row.addresses is None else dataclasses.replace(row, addresses=f"127.0.0.1:{self._to_api.port}")
