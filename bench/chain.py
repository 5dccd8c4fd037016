"""Three cells in a chain, as real managers, and a client in the topmost cell."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from tools.manager_process import ManagerProcess
from tools.polling import poll
from tools.transports import connect

NAMES = ("api", "child", "grandchild")


class Chain:
    """``api`` above ``child`` above ``grandchild``, while the ``with`` block runs."""

    def __init__(self, directory: Path, urls: Sequence[str]) -> None:
        self.managers = [ManagerProcess(directory, name, url) for name, url in zip(NAMES, urls, strict=True)]

    def __enter__(self) -> Chain:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def _start(self) -> None:
        with ThreadPoolExecutor(len(self.managers)) as pool:
            list(pool.map(ManagerProcess.sync_database, self.managers))
        for parent, child in zip(self.managers, self.managers[1:], strict=False):
            parent.link_child(child)
        for manager in self.managers:
            manager.start()
        for manager in self.managers:
            manager.wait_ready()
        self._transport = connect(self.managers[0].transport_url)
        self._api = CellsAPI(self._transport, timeout=30)
        self._context = get_admin_context()
        poll(self._is_formed, "the three cells know each other", timeout_seconds=90, pause_seconds=0.5)

    def _is_formed(self) -> bool:
        return len(self._api.broadcast_call(self._context, "ping")) == len(NAMES)

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._transport.cleanup()
        self._stop()

    def _stop(self) -> None:
        for manager in self.managers:
            manager.begin_stop()
        for manager in self.managers:
            manager.stop()

    def one_hop(self) -> None:
        """Call a method of the child."""
        self._api.call(self._context, "child", "ping")

    def two_hops(self) -> None:
        """Call a method of the grandchild."""
        self._api.call(self._context, "api!child!grandchild", "ping")

    def broadcast(self) -> None:
        """Call a method of all three cells and wait for all answers."""
        answers = self._api.broadcast_call(self._context, "ping")
        errors = [answer.error for answer in answers if answer.error is not None]
        if errors or len(answers) != len(NAMES):
            raise RuntimeError(f"A broadcast came back with {len(answers)} answers and {errors}.")
