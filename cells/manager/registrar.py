"""Registrar: changes of the registered neighbors that services of this cell ask the manager for."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

from cells import exceptions
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.registration import Registration, check_is_in_database
from cells.services.validation import want
from cells.transport import url as transport_url
from cells.worker_threads import Spawn

_PARTS = frozenset(part.name for part in dataclasses.fields(transport_url.Parts))
#: Changes that wait for the database at the same time: a service can start no more threads.
MAX_CHANGES = 20


class Registrar:
    """Writes to the database on threads of its own, and then lets this manager read the neighbors.  Thread-safe.

    The other managers of the cell read them within [cells] db_check_interval.  Each method returns a future: the thread
    that reads requests must not wait for the database.
    """

    def __init__(self, registration: Registration, file: str | None, spawn: Spawn) -> None:
        """:param file: [cells] cells_config, from which the manager reads the neighbors instead of the database"""
        self._registration = registration
        self._file = file
        self._spawn = spawn
        self._room = threading.Semaphore(MAX_CHANGES)
        #: reads the neighbors now; set before the first request
        self.reload: Callable[[], object] = lambda: None

    def create(self, name: str, columns: Mapping[str, Any], broker: Mapping[str, Any]) -> futures.Future[Any]:
        """Register a neighbor; return a future of :func:`shown`."""
        parts = _parts(broker)
        return self._changed(lambda change: shown(change.create(name, columns, parts)))

    def update(self, name: str, changes: Mapping[str, Any], broker: Mapping[str, Any]) -> futures.Future[Any]:
        """Change a neighbor; return a future of :func:`shown`."""
        name, parts = want(name, str, "name"), _parts(broker)
        return self._changed(lambda change: shown(change.update(name, changes, parts)))

    def delete(self, name: str) -> futures.Future[Any]:
        """Delete a neighbor; return a future of None."""
        name = want(name, str, "name")
        return self._changed(lambda change: change.delete(name))

    def _changed(self, step: Callable[[Registration], Any]) -> futures.Future[Any]:
        check_is_in_database(self._file)
        if not self._room.acquire(blocking=False):
            raise exceptions.ManagerBusy(f"{MAX_CHANGES} changes of neighbors wait for the database: try again later.")
        done: futures.Future[Any] = futures.Future()

        def run() -> None:
            try:
                result = step(self._registration)
                self.reload()
            except Exception as error:  # the client must get an answer
                done.set_exception(error)
            else:
                done.set_result(result)
            finally:
                self._room.release()

        self._spawn(run, "cells-registrar")
        return done


def shown(row: Neighbor) -> dict[str, Any]:
    """Return the columns of a neighbor that a client may see, with the passwords of the URL masked."""
    url = transport_url.mask(row.transport_url)
    return {"name": row.name, "is_parent": row.is_parent, "driver": row.driver, "transport_url": url}


def _parts(broker: Mapping[str, Any]) -> transport_url.Parts:
    """Return the parts of a transport URL.

    :raises cells.exceptions.InvalidArguments: one is unknown or of a wrong type
    """
    unknown = sorted(str(key) for key in broker if key not in _PARTS)
    if unknown:
        raise exceptions.InvalidArguments(f"A broker has no part {', '.join(unknown)}; there are: {sorted(_PARTS)}.")
    for key, value in broker.items():
        if value is not None:
            want(value, int if key == "port" else str, f"The part {key} of the broker")
    return transport_url.Parts(**broker)
