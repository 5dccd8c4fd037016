"""ManagerClient: the requests of the HTTP API to the manager of its cell, with a fast error while it is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent import futures
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cells.api import errors
from cells.worker_threads import start_thread

if TYPE_CHECKING:
    from cells.context import RequestContext
    from cells.rpcapi import CellsAPI

T = TypeVar("T")

#: An answer of the manager counts for so long.
PRESENT_SECONDS = 1.0
#: Requests fail at once for so long after the manager has not answered.
AWAY_SECONDS = 0.5


class Connection(NamedTuple):
    """A client of the manager, and the function that closes its transport."""

    api: CellsAPI
    close: Callable[[], object]


class ManagerClient:
    """Client of the manager, connected at the first request.  Thread-safe.

    A call to another cell waits for its whole timeout, even if the manager of this cell has died.  So the manager is
    asked for its status beforehand and while an operation waits, at most once a second, with a short timeout.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        cell_name: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        check_seconds: float = PRESENT_SECONDS,
    ) -> None:
        """:param connect: called once, by the first request: a server may fork after it has loaded the application
        :param cell_name: [cells] name, which the manager must have, too; None: any
        :param check_seconds: interval of the checks while an operation waits
        """
        self._connect = connect
        self._cell_name = cell_name
        self._clock = clock
        self._check_seconds = check_seconds
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._present_until = 0.0
        self._away_until = 0.0
        self._problem: errors.ApiError | None = None

    def ask(self, ctxt: RequestContext, operation: Callable[[CellsAPI], T]) -> T:
        """Return the result of ``operation``, called with the client on a thread of its own.

        If the manager goes away meanwhile, the thread is left behind until the timeout of the operation.

        :raises cells.api.errors.ApiError: the manager is away, or the operation failed
        """
        api = self._checked(ctxt)
        done: futures.Future[T] = futures.Future()

        def run() -> None:
            try:
                done.set_result(operation(api))
            except BaseException as error:  # the called method may raise any class, and the client must get an answer
                done.set_exception(error)

        start_thread(run, "cells-api-request")
        while not futures.wait([done], self._check_seconds).done:
            self._checked(ctxt)
        error = done.exception()
        if error is None:
            return done.result()
        if not isinstance(error, Exception):
            raise error
        raise errors.from_manager(error) from error

    def close(self) -> None:
        """Close the connection, after the last request.  May be called twice."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _checked(self, ctxt: RequestContext) -> CellsAPI:
        # Concurrent requests wait for one check, so that a manager that is away costs each of them one timeout.
        with self._lock:
            now = self._clock()
            if self._problem is not None and now < self._away_until:
                raise errors.ApiError(self._problem.status, self._problem.message, **self._problem.details)
            self._problem = None
            if self._connection is not None and now < self._present_until:
                return self._connection.api
            try:
                if self._connection is None:
                    self._connection = self._connect()
                status = self._connection.api.status(ctxt)
            except Exception as error:
                self._problem = errors.from_manager(error)
                self._problem.status = HTTPStatus.SERVICE_UNAVAILABLE
                self._away_until = self._clock() + AWAY_SECONDS
                raise self._problem from error
            self._check_name(status.get("name"))
            self._present_until = self._clock() + PRESENT_SECONDS
            return self._connection.api

    def _check_name(self, name: object) -> None:
        if self._cell_name is not None and name is not None and name != self._cell_name:
            raise errors.ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"A manager of cell {name} answers requests to cell {self._cell_name}: both use one virtual host of a "
                "broker. Give each cell a virtual host of its own in [DEFAULT] transport_url.",
            )
