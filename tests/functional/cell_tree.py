"""CellTree of the functional tests and the example: that of cells.testing, without services.

These tests call the managers directly, and read and write the database of a cell.
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

#: Timeout of every wait in a test.
TIMEOUT_SECONDS = 10.0
CONTEXT = {"user_id": "ada"}


def wait_for(condition: Callable[[], Any], description: str) -> Any:
    """Poll every 2 ms: within one process a change takes milliseconds."""
    return poll(condition, description, timeout_seconds=TIMEOUT_SECONDS, pause_seconds=0.002)


class TreeCell(cells.testing.TreeCell):
    """One cell of a tree: its managers, its database, and the calls of a service in it."""

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
        """Call a method in another cell; return a future of its value or error.

        :param options: ``kwargs``, ``ctxt`` and ``timeout``
        """
        kwargs, ctxt = options.get("kwargs", {}), options.get("ctxt", CONTEXT)
        return self.managers[manager].manager.call(ctxt, target, method, kwargs, options.get("timeout"))

    def call(self, target: str, method: str = "where", **options: Any) -> Any:
        """Call a method in another cell and wait for the answer."""
        return self.start_call(target, method, **options).result(TIMEOUT_SECONDS)

    def cast(self, target: str, method: str, **kwargs: Any) -> None:
        self.service.manager.cast(CONTEXT, target, method, kwargs)

    def broadcast(self, method: str = "where", direction: str = "down", **options: Any) -> dict[str, Response]:
        """Return the answer of each cell, by the path from this cell to it.

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
        """Return the sum of the counters of all managers."""
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
    """Tree with the endpoint ``where`` in every cell: it returns the cell's path, and blocks in a frozen cell."""

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
        """Let a cell take and forward messages, but not answer ``where``."""
        self._thawed.clear()
        self._frozen.add(str(self._path(name)))

    def thaw(self) -> None:
        """Let frozen cells answer all their calls."""
        self._frozen.clear()
        self._thawed.set()

    def wait_until_idle(self) -> None:
        """Wait until no manager waits for an answer: one may still ping a neighbor that has just started."""
        for path, cell in self.cells.items():
            for manager in cell.managers:
                wait_for(lambda: not len(manager.pending), f"a manager of {path} waits for nothing")  # noqa: B023

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
