"""ServiceCalls: the RPC endpoint of the manager for calls of services in other cells.

The manager serves it beside :class:`cells.manager.CellsManager`, in a namespace of its
own; its client is :mod:`cells.rpc`.  Every error is an answer, not an exception: the
transport of the client need not rebuild the errors of cells.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

import oslo_messaging

from cells import exceptions
from cells.deadlines import shrink, want_timeout
from cells.endpoints import CellPicker
from cells.failure import lacks_method
from cells.futures import gather, then
from cells.manager.held_requests import MAX_SECONDS
from cells.manager.requests import Requests
from cells.neighbors import Direction
from cells.path import CellPath
from cells.routing.reply import Reply
from cells.routing.waiting_call import Monitor
from cells.services import answers
from cells.services.answers import Answer
from cells.services.request import WAIT_SECONDS, ServiceRequest
from cells.services.requirements import CellRequirements
from cells.services.validation import want
from cells.transport.server import LongAnswer, reply_to

NAMESPACE = "services"
VERSION = "1.0"

#: The endpoint of a call.
SERVICE_CALL = "service_call"
#: Kind of a message without an answer -> its endpoint.
CASTS = {"cast": "service_cast", "event": "service_event"}
DIRECTIONS = tuple(direction.value for direction in Direction)


class ServiceCalls:
    """RPC endpoint for the library ``cells.rpc``.

    In all methods ``ctxt`` is the serialized context of the caller, ``request`` is the result of
    :meth:`cells.services.request.ServiceRequest.to_dict`, and ``timeout`` is in seconds.
    """

    target = oslo_messaging.Target(namespace=NAMESPACE, version=VERSION)

    def __init__(self, requests: Requests, picker: CellPicker) -> None:
        self._requests = requests
        self._router, self._outgoing, self._streams = requests.router, requests.outgoing, requests.streams
        self._picker = picker

    def call(
        self,
        ctxt: dict[str, Any],
        request: dict[str, Any],
        timeout: float,
        cell: str | dict[str, Any],
        message_id: str | None = None,
    ) -> futures.Future[Answer]:
        """Call a service in ``cell``: a name, a full path, or the requirements of a cell as JSON values.

        :param message_id: the same if the client repeats the request because the next cell was not reached
        """
        if isinstance(cell, dict):
            return self._answer("call", lambda: self._run_in_any("call", ctxt, request, timeout, cell))
        return self._call_or_hold(ctxt, request, timeout, cell, message_id, reply_to())

    def cast(
        self,
        ctxt: dict[str, Any],
        request: dict[str, Any],
        timeout: float,
        cell: str | dict[str, Any],
        message_id: str | None = None,
    ) -> futures.Future[Answer]:
        """Cast to a service; the answer comes when the next cell, or the picked cell, has the cast, or its broker.

        At the timeout the answer is an error, and the cast may still arrive.
        """
        if isinstance(cell, dict):
            return self._answer("cast", lambda: self._run_in_any("cast", ctxt, request, timeout, cell))
        return self._cast_or_hold(ctxt, request, CASTS["cast"], cell, timeout, message_id)

    def broadcast(
        self, ctxt: dict[str, Any], request: dict[str, Any], cells: str | list[str], what: str = "cast"
    ) -> futures.Future[Answer]:
        """Cast to a service, or give an event to consumer pools, in many cells.

        :param cells: ``"down"``, ``"up"``, or a list of cells
        :param request: the key ``wait_seconds`` is the timeout of the answer; clients of older releases do not send it
        :param what: ``"cast"`` or ``"event"``
        :returns: a future of ``{"result": [(cell, answer), ...]}``, one for each cell of a list
        """
        return self._answer("broadcast", lambda: self._broadcast(ctxt, request, cells, what))

    def multicall_start(
        self, ctxt: dict[str, Any], request: dict[str, Any], cells: str | list[str], timeout: float
    ) -> Answer:
        """Call a service in many cells; the client fetches the answers as they arrive.

        :returns: ``{"result": {"id", "server", "cells"}}``: the id of the stream of answers, the manager that keeps
            it, and the cells that will answer
        """
        try:
            with self._outgoing.counting_refusals("multicall"):
                return {answers.RESULT: self._multicall(ctxt, request, cells, timeout)}
        except exceptions.CellsError as error:
            return answers.of_error(error)

    def multicall_next(self, ctxt: dict[str, Any], multicall_id: str) -> futures.Future[Answer]:  # noqa: ARG002
        """Return a future of the new answers: ``{"result": {"answers": [(cell, answer), ...], "is_complete"}}``."""
        return self._answer(
            "multicall",
            lambda: then(
                self._streams.next(want(multicall_id, str, "multicall_id")), lambda batch: {answers.RESULT: batch}
            ),
        )

    def multicall_stop(self, ctxt: dict[str, Any], multicall_id: str) -> None:  # noqa: ARG002  # oslo's signature
        """Discard the answers that are not fetched."""
        self._streams.stop(multicall_id)

    def _answer(self, what: str, ask: Callable[[], futures.Future[Answer]]) -> futures.Future[Answer]:
        try:
            with self._outgoing.counting_refusals(what):
                return ask()
        except exceptions.CellsError as error:
            refused: futures.Future[Answer] = futures.Future()
            refused.set_result(answers.of_error(error))
            return refused

    def _call_or_hold(  # noqa: PLR0913  # those of a call
        self,
        ctxt: object,
        request: object,
        timeout: object,
        cell: object,
        message_id: object = None,
        reply_to: str = "",
    ) -> futures.Future[Answer]:
        """Call a service; wait first if this cell cannot find ``cell`` yet.  Never raises."""

        def call(seconds: float) -> futures.Future[Answer]:
            return self._answer("call", lambda: self._call(ctxt, request, seconds, cell, message_id, reply_to))

        return self._answer("call", lambda: self._requests.held.send(cell, want_timeout(timeout), call))

    def _cast_or_hold(  # noqa: PLR0913  # those of a cast
        self,
        ctxt: object,
        request: object,
        method: str,
        cell: object,
        timeout: object,
        message_id: object = None,
    ) -> futures.Future[Answer]:
        """Cast to a service; wait first if this cell cannot find ``cell`` yet.  Never raises."""

        def cast(seconds: float) -> futures.Future[Answer]:
            return self._answer("cast", lambda: self._cast(ctxt, request, method, cell, seconds, message_id))

        return self._answer("cast", lambda: self._requests.held.send(cell, want_timeout(timeout), cast))

    def _call(  # noqa: PLR0913  # the arguments of the request
        self,
        ctxt: object,
        request: object,
        seconds: float,
        cell: object,
        message_id: object,
        reply_to: str,
    ) -> futures.Future[Answer]:
        asked = want(request, dict, "request")
        message = self._outgoing.targeted(
            ctxt,
            want(cell, str, "cell"),
            SERVICE_CALL,
            {"request": asked, "time_left": shrink(seconds)},
            needs_response=True,
            message_id=message_id,
            about=ServiceRequest.topic_of(asked),
        )
        answer: LongAnswer[Answer] = LongAnswer()
        monitor = _monitor(asked, answer.still_working)
        # An empty answer to a monitored call is a heartbeat.
        client = "" if monitor is not None else reply_to
        return self._requests.call(message, seconds, _read, client=client, monitor=monitor, into=answer)

    def _run_in_any(
        self, kind: str, ctxt: Mapping[str, Any], request: object, timeout: object, requirements: object
    ) -> futures.Future[Answer]:
        answer: LongAnswer[Answer] = LongAnswer()
        picked = self._picker.run(
            kind,
            CellRequirements.from_dict(requirements),
            ServiceRequest.from_dict(request),
            context=ctxt,
            timeout_seconds=want_timeout(timeout),
            neighbor="",
            still_working=answer.still_working,
        )

        def finish(done: futures.Future[Answer]) -> None:
            error = done.exception()
            answer.set_result(done.result() if error is None else answers.of_error(error))

        picked.add_done_callback(finish)
        return answer

    def _cast(  # noqa: PLR0913  # the arguments of the request
        self, ctxt: object, request: object, method: str, cell: object, seconds: float, message_id: object
    ) -> futures.Future[Answer]:
        asked = want(request, dict, "request")
        message = self._outgoing.targeted(
            ctxt,
            want(cell, str, "cell"),
            method,
            {"request": asked},
            needs_response=False,
            message_id=message_id,
            about=ServiceRequest.topic_of(asked),
        )
        return then(self._router.deliver(message, seconds), _read_cast)

    def _broadcast(self, ctxt: Mapping[str, Any], request: object, cells: object, what: str) -> futures.Future[Answer]:
        method = CASTS.get(want(what, str, "what"))
        if method is None:
            raise exceptions.InvalidArguments(
                f"'what' of a broadcast must be one of {', '.join(CASTS)}, not {what!r:.40}."
            )
        asked = dict(want(request, dict, "request"))
        timeout = asked.pop(WAIT_SECONDS, MAX_SECONDS)
        if isinstance(cells, str):
            kwargs = {"request": asked}
            self._router.cast(self._outgoing.broadcast(ctxt, method, kwargs, _direction(cells), needs_response=False))
            return gather({}, _read_all)
        names = self._each_once(cells)
        casts = {name: self._cast_or_hold(ctxt, asked, method, name, timeout) for name in names}
        return gather(casts, _read_all)

    def _multicall(self, ctxt: Mapping[str, Any], request: object, cells: object, timeout: object) -> dict[str, Any]:
        seconds = want_timeout(timeout)
        if isinstance(cells, str):
            names = [str(path) for path in self._outgoing.topology.cells_toward(Direction(_direction(cells)))]
        else:
            names = self._each_once(cells)
        stream_id, stream = self._streams.start(seconds, expected=len(names))
        for name in names:
            answer = self._call_or_hold(ctxt, request, seconds, name)
            answer.add_done_callback(lambda done, name=name: stream.add((name, done.result())))  # type: ignore[misc]
        return {"id": stream_id, "server": self._requests.host, "cells": names}

    def _each_once(self, cells: object) -> list[str]:
        """Return the cells of a list, each once.  The call of a cell reports that the cell is unknown.

        :raises cells.exceptions.InvalidArguments: two names are of the same cell, which would run the method twice
        """
        names = _names(cells)
        known: dict[CellPath, str] = {}
        twice: list[tuple[str, str]] = []
        for name in names:
            with contextlib.suppress(exceptions.CellsError):
                other = known.setdefault(self._outgoing.topology.walk_to(name), name)
                twice += [(other, name)] if other != name else []
        if twice:
            raise exceptions.InvalidArguments(f"{twice[0][0]} and {twice[0][1]} are names of the same cell: give one.")
        return names


def _monitor(request: Mapping[str, Any], on_still_working: Callable[[], object]) -> Monitor | None:
    seconds = ServiceRequest.monitor_of(request)
    return None if seconds is None else Monitor(seconds, on_still_working)


def _direction(text: str) -> str:
    if text not in DIRECTIONS:
        raise exceptions.InvalidArguments(
            "The cells must be 'down' (this cell and all below), 'up' (this cell and all above), or a list, "
            f"not {text!r:.80}."
        )
    return text


def _names(cells: object) -> list[str]:
    """Return the names of a list, each once."""
    return list(dict.fromkeys(want(name, str, "Each of the cells") for name in want(cells, list, "cells")))


def _read(reply: Reply) -> Answer:
    """Return the answer to a call."""
    response = reply.read_one(("cells.exceptions",))
    if lacks_method(response.error, SERVICE_CALL):
        return answers.of_error(
            exceptions.UnknownMethod(
                f"Cell {response.cell} runs no methods of services: it is a cell of Nova.",
                cell=response.cell,
                method=SERVICE_CALL,
            )
        )
    try:
        return answers.of_error(response.error) if response.error is not None else answers.check(response.value)
    except exceptions.MalformedMessage as error:
        return answers.of_error(error)


def _read_cast(reply: Reply) -> Answer:
    """Return the answer to a cast: a result if the next cell or its broker has it, otherwise the error."""
    error = reply.read_one(("cells.exceptions",)).error
    return {answers.RESULT: None} if error is None else answers.of_error(error)


def _read_all(results: Mapping[str, Answer]) -> Answer:
    return {answers.RESULT: list(results.items())}
