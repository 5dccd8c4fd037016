"""Shared: the parts of a node that all of its links use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cells.drivers.base import OnLinkState
from cells.drivers.direct import errors
from cells.drivers.direct.connection import Connection
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.link_settings import LinkSettings
from cells.drivers.direct.message import PassOn
from cells.drivers.direct.receivers import Receivers
from cells.worker_threads import Runtime


@dataclass(frozen=True)
class Shared:
    """What all links of one manager share."""

    own: Hello
    settings: LinkSettings
    runtime: Runtime
    receivers: Receivers
    #: called when the session of a connection has opened, and when that of a link, given by its name, has ended; both
    #: run on any thread, under the lock of the link, and must not block
    on_opened: Callable[[Connection], None]
    on_ended: Callable[[str, Connection, errors.ConnectionEnded], None]
    #: called when the state of a link has changed, likewise
    on_state: OnLinkState
    #: as :attr:`cells.drivers.direct.node_settings.Callbacks.pass_on`
    pass_on: PassOn
    #: returns whether an attempt to connect with a neighbor, given by its name, is under way; does not lock
    is_dialing: Callable[[str], bool]
