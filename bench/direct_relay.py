"""A relay between direct links: this process is the neighbor that sends, on the same cores as the relay."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType

from bench import sender
from bench.direct_sender import DirectSender
from bench.processor_time import seconds
from bench.relay_cells import ROUTE, Measured, RelayCells
from cells.path import CellPath
from tools.broker_node import BrokerNode
from tools.direct_links import DirectLinks


class DirectRelay(RelayCells):
    """Two cells with direct links, and the sender above them."""

    def __init__(self, node: BrokerNode, place: Path, hosts: tuple[str, str]) -> None:
        paths = [str(CellPath(ROUTE[:length])) for length in range(1, len(ROUTE) + 1)]
        self._links = DirectLinks(place / "direct", paths)
        super().__init__(node, place, hosts, {name: self._links.options(name) for name in ROUTE})

    def _link(self) -> None:
        self._links.link(self._relay, self._next)
        self._links.register(self._relay, ROUTE[0], is_parent=True)

    def __enter__(self) -> DirectRelay:
        super().__enter__()
        try:
            row = self._links.row(ROUTE[1], is_parent=False)
            self._sender = DirectSender(self._place, ROUTE[0], self._links.options(ROUTE[0]), row)
        except BaseException:
            super().__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sender.close()
        super().__exit__(error_type, error, traceback)

    def _stop(self) -> None:
        super()._stop()
        self._links.close()

    def measure(self, series: str, count: int, in_frame: int) -> Measured:
        """Measure how ``count`` messages are relayed, at most ``in_frame`` of them in a frame of the sender."""
        messages = sender.casts(ROUTE, series, count)
        before = self._seconds()
        started_at = time.monotonic()
        self._sender.send(messages, in_frame)
        ended_at = self._last_arrival(series, count)
        after = self._seconds()
        used = {name: 1e6 * (after[name] - before[name]) / count for name in after}
        return Measured(count / (ended_at - started_at), used)

    def _seconds(self) -> dict[str, float]:
        return {**super()._seconds(), **seconds({"sender": os.getpid()})}
