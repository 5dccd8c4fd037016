"""The driver of direct links, which are made when a neighbor has one, or at the start if this manager listens.

A cell without direct links needs no certificate, and does not import the node and TLS: 0.05 seconds and 2 MB at the
start of each manager.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from cells import conf as cells_conf
from cells import exceptions
from cells.drivers.base import DriverSettings, OnDone, OnMessage, Outgoing, PostingDriver, Target
from cells.drivers.direct.row import is_direct
from cells.limited_log import LastingProblem

if TYPE_CHECKING:
    from cells.drivers.direct.direct_links import DirectLinks
    from cells.drivers.direct.row import Row

LOG = logging.getLogger(__name__)


class DirectDriver(PostingDriver):
    """Driver of the links to managers of neighbors.  Thread-safe."""

    def __init__(self, settings: DriverSettings) -> None:
        cells_conf.register(settings.conf)
        self._settings = settings
        self._problem = LastingProblem(LOG, settings.runtime.clock)
        self._lock = threading.Lock()
        self._on_message: OnMessage | None = None
        self._is_stopping = False
        self._links: DirectLinks | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses at which this manager listens."""
        return () if self._links is None else self._links.addresses

    def _load(self) -> DirectLinks:
        """Make the links, once.  Caller holds the lock.

        :raises cells.exceptions.PluginError: they cannot be imported
        """
        if self._links is None:
            try:
                # The only import of these modules: see above.
                from cells.drivers.direct.direct_links import DirectLinks  # noqa: PLC0415
            except ImportError as error:
                raise exceptions.PluginError(f"Direct links cannot be loaded: {error}.") from error
            self._links = DirectLinks(self._settings)
        return self._links

    def start_servers(self, on_message: OnMessage) -> None:
        """Listen, and dial the neighbors.

        :raises cells.exceptions.ConfigurationError: a certificate, the key or an address cannot be used
        :raises OSError: an address to listen at is in use
        """
        with self._lock:
            self._on_message, self._is_stopping = on_message, False
            if self._settings.conf.cells_direct.listen:
                self._load()
        if self._links is not None:
            self._links.start_servers(on_message)

    def set_neighbors(self, cells: Sequence[Target]) -> None:
        with self._lock:
            if self._links is None and not self._load_for(cells):
                return
        if self._links is not None:
            self._links.set_neighbors(cells)

    def _load_for(self, cells: Sequence[Target]) -> bool:
        """Make the links if a neighbor has one; return whether they are made.  Caller holds the lock."""
        if self._is_stopping or not any(is_direct(cast("Row", cell)) for cell in cells):
            return False
        try:
            links = self._load()
            if self._on_message is not None:
                # Without neighbors, and without addresses to listen at, it only keeps the function.
                links.start_servers(self._on_message)
        except exceptions.CellsError as error:
            self._settings.counters.count("refused", type(error).__name__)
            self._problem.log(logging.ERROR, "%s", error.message)
            return False
        self._problem.end()
        return True

    def stop_taking(self, message_types: frozenset[str]) -> None:
        if self._links is not None:
            self._links.stop_taking(message_types)

    def stop_servers(self) -> None:
        with self._lock:
            self._is_stopping = True
        if self._links is not None:
            self._links.stop_servers()

    def post(self, cell: Target, messages: Sequence[tuple[Outgoing, OnDone]]) -> None:
        if self._links is not None:
            self._links.post(cell, messages)
            return
        for _, on_done in messages:
            text = f"Cell {cell.name} is not registered here with a direct link."
            on_done(exceptions.NeighborUnreachable(text, cell=cell.name))

    def wait_for_room(self, cell: Target, until: float) -> bool:
        return self._links is not None and self._links.wait_for_room(cell, until)

    def receivers(self, cell: Target) -> int | None:
        """Return how many managers of the neighbor have a connection to a manager of this cell."""
        return None if self._links is None else self._links.receivers(cell)

    def link_status(self, cell: Target) -> Mapping[str, Any] | None:
        """Return the state as :meth:`cells.drivers.direct.direct_links.DirectLinks.link_status` does."""
        return None if self._links is None else self._links.link_status(cell)

    def looked_at(self) -> Mapping[str, float]:
        return {} if self._links is None else self._links.looked_at()

    def wait_until_idle(self, timeout_seconds: float) -> None:
        if self._links is not None:
            self._links.wait_until_idle(timeout_seconds)

    def close_link(self, cell: Target) -> None:
        """Do nothing: a link ends when its neighbor is no longer in the rows."""

    def close(self) -> None:
        with self._lock:
            self._is_stopping = True
        if self._links is not None:
            self._links.close()
