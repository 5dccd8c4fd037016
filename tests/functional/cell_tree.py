"""CellTree as the functional tests and the example need it: that of cells.testing, without its services.

What they ask of a cell they ask of its managers, and they look into its database.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import cells.testing
from cells.db.api import Database
from cells.endpoints import Call, endpoint
from cells.manager.lifecycle import CellsService
from cells.messages import Response
from cells.testing.tree import Shape
from tools.polling import poll

__all__ = ["CONTEXT", "TIMEOUT_SECONDS", "CellTree", "Shape", "TreeCell", "wait_for"]

#: Longer than anything takes that a test waits for.
TIMEOUT_SECONDS = 10.0
CONTEXT = {"user_id": "ada"}


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Poll quickly: within one process everything happens within milliseconds."""
    return poll(condition, what, timeout_seconds=TIMEOUT_SECONDS, pause_seconds=0.002)


class TreeCell(cells.testing.TreeCell):
    """One cell of a tree: its managers, its database, and what a service of it may ask."""

    @functools.cached_property
    def database(self) -> Database:
        return Database(self.conf)

    @property
    def service(self) -> CellsService:
        """The first manager."""
        return self.managers[0]

    def start_call(
        self, target: str, method: str = "where", *, manager: int = 0, **options: Any
    ) -> futures.Future[Any]:
        """Call a method elsewhere; what it gives or raises comes in the future.

        :param options: ``kwargs``, ``ctxt`` and ``timeout``
        """
        kwargs, ctxt = options.get("kwargs", {}), options.get("ctxt", CONTEXT)
        return self.managers[manager].manager.call(ctxt, target, method, kwargs, options.get("timeout"))

    def call(self, target: str, method: str = "where", **options: Any) -> Any:
        """The same, waiting for the answer."""
        return self.start_call(target, method, **options).result(TIMEOUT_SECONDS)

    def cast(self, target: str, method: str, **kwargs: Any) -> None:
        self.service.manager.cast(CONTEXT, target, method, kwargs)

    def broadcast(self, method: str = "where", direction: str = "down", **options: Any) -> dict[str, Response]:
        """What each cell answered, by the way that leads from here to it.

        :param options: ``kwargs``, ``timeout`` and ``run_locally``
        """
        kwargs = options.pop("kwargs", {})
        texts = self.service.manager.broadcast_call(CONTEXT, method, kwargs, direction, **options).result(
            TIMEOUT_SECONDS
        )
        responses = [Response.from_json(text, ["cells.exceptions"]) for text in texts]
        answers = {response.cell: response for response in responses}
        assert len(answers) == len(responses), f"A cell answered twice: {[response.cell for response in responses]}"
        return answers

    def broadcast_cast(self, method: str, direction: str = "down", *, run_locally: bool = True, **kwargs: Any) -> None:
        self.service.manager.broadcast_cast(CONTEXT, method, kwargs, direction, run_locally)

    def neighbors(self) -> dict[str, dict[str, Any]]:
        return {neighbor["name"]: neighbor for neighbor in self.service.manager.neighbors(CONTEXT)}

    def counters(self) -> dict[str, int]:
        """What all its managers have counted."""
        totals: dict[str, int] = {}
        for manager in self.managers:
            for name, count in manager.counters.as_dict().items():
                totals[name] = totals.get(name, 0) + count
        return totals

    def stop(self) -> None:
        super().stop()
        if "database" in vars(self):
            self.database.close()


class CellTree(cells.testing.CellTree):
    """In every cell is the endpoint ``where``, which answers the cell's path, or nothing as long as it is frozen."""

    cell_class = TreeCell
    cells: dict[Any, TreeCell]

    def __init__(
        self, shape: Shape, *, endpoints: Sequence[Callable[..., Any]] = (), services: bool = False, **options: Any
    ) -> None:
        self._frozen: set[str] = set()
        self._thawed = threading.Event()
        super().__init__(shape, endpoints=[self._where(), *endpoints], services=services, **options)

    def stop(self) -> None:
        self.thaw()
        super().stop()

    def freeze(self, name: str) -> None:
        """From now on a cell takes messages, passes them on, and does not answer ``where``."""
        self._thawed.clear()
        self._frozen.add(str(self._path(name)))

    def thaw(self) -> None:
        """Let frozen cells answer what they were asked."""
        self._frozen.clear()
        self._thawed.set()

    def database_file(self, name: str) -> Path:
        return self._files.database(self._path(name))

    def _where(self) -> Callable[..., Any]:
        @endpoint
        def where(call: Call) -> str:
            path = str(call.cell.describe()["path"])
            if path in self._frozen:
                assert self._thawed.wait(60), "The tree was never stopped"
            return path

        return where
