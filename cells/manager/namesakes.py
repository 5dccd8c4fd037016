"""Managers that already serve the topic on which a manager is about to start.

Two cells on one virtual host, or without a broker on one registry of servers, would take each other's requests, and two
managers of one host name each other's answers.  So a manager looks before it consumes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import oslo_messaging

from cells.transport.internals import possible_servers

#: Timeout of the answer of one manager: a hung one must not keep another from its start.
TIMEOUT_SECONDS = 2
#: Managers that are asked.
MAX_ASKED = 8


@dataclass(frozen=True)
class Namesakes:
    """The other managers on the topic of a manager."""

    #: opens a transport to the broker of this cell
    open_transport: Callable[[], Any]
    topic: str
    exchange: str | None

    def find(self) -> list[Mapping[str, Any]]:
        """Return the statuses of managers that serve the topic now, as far as the transport knows them.  Blocks.

        :raises Exception: of the transport's libraries, if the broker is away
        """
        with contextlib.closing(_Closing(self.open_transport())) as opened:
            count = possible_servers(opened.transport, self.topic, self.exchange)
            client = oslo_messaging.get_rpc_client(
                opened.transport,
                oslo_messaging.Target(topic=self.topic, exchange=self.exchange, version="1.0"),
                timeout=TIMEOUT_SECONDS,
                retry=0,
            )
            found: list[Mapping[str, Any]] = []
            # The broker gives the requests to the consumers in turn, and so does a client without a broker.
            with contextlib.suppress(oslo_messaging.MessagingException):
                while len(found) < min(count, MAX_ASKED):
                    answer = client.call({}, "status")
                    found.append(answer if isinstance(answer, Mapping) else {})
            return found


@dataclass(frozen=True)
class _Closing:
    transport: Any

    def close(self) -> None:
        self.transport.cleanup()


def problem_with(others: Iterable[Mapping[str, Any]], name: str, host: str) -> str:
    """Return why a manager ``host`` of the cell ``name`` must not start beside ``others``; empty if it may.

    :param others: statuses, as of :meth:`cells.manager.CellsManager.status`
    """
    for other in others:
        if other.get("name") not in (None, name):
            return (
                f"A manager of cell {other['name']!s:.80} (host {other.get('host')!s:.80}) serves the same topic on "
                "the same virtual host or registry. Give each cell a virtual host of its own in [DEFAULT] "
                "transport_url (without a broker its own [oslo_messaging_zmq] matchmaker_connection and ipc_dir)"
            )
        if other.get("host") == host:
            return (
                f"Another manager of this cell runs with the same host name {host} (process {other.get('pid')!s:.20}): "
                "give each manager its own [DEFAULT] host"
            )
    return ""
