"""What a driver gives the node: neighbors, settings and callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cells.certificates.certificate import Certificate
from cells.drivers.base import OnLinkState, ignore_link_state
from cells.drivers.direct.custody import CastCustody
from cells.drivers.direct.link_settings import LinkSettings
from cells.drivers.direct.message import Message, PassOn, TakeOutcomes
from cells.drivers.direct.receivers import OnMessages


@dataclass(frozen=True)
class Peer:
    """A neighbor with a direct link."""

    name: str
    #: its own certificates: several during a rotation
    certificates: tuple[Certificate, ...] = ()
    #: the path that a certificate of an authority must name; empty: only its own certificates count
    path: str = ""
    #: ``host:port`` of its managers; empty: it dials in
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeSettings:
    """Settings of the direct links of one manager."""

    #: files of the own certificate and key, in PEM
    certificate: Path
    key: Path
    #: addresses to listen at
    listen: tuple[str, ...] = ()
    #: certificates of the authorities that sign certificates of neighbors
    authorities: tuple[Certificate, ...] = ()
    links: LinkSettings = field(default_factory=LinkSettings)
    io_threads: int = 1
    #: connections at a time whose peer has not said hello yet
    max_handshakes: int = 128


def _pass_none(_neighbor: str, _take_outcomes: TakeOutcomes, _message: Message) -> bool:
    return False


@dataclass(frozen=True)
class Callbacks:
    """Functions and objects that take note of the events of the links."""

    on_messages: OnMessages
    custody: CastCustody
    on_state: OnLinkState = ignore_link_state
    #: takes a message for a neighbor to which this manager has no connection; called under the lock of the link
    pass_on: PassOn = _pass_none
    #: called when a connection has opened or ended; on any thread, under the lock of the link; must not block
    on_connections: Callable[[], object] = lambda: None
