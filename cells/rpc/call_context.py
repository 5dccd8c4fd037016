"""CallContext: a client of a service with the options of one call."""

from __future__ import annotations

import dataclasses
import math
import time
import uuid
from collections.abc import Mapping
from typing import Any

import oslo_messaging

from cells import exceptions, failure
from cells.deadlines import shrink, want_timeout
from cells.rpc.answers import Answers
from cells.rpc.exceptions import MessageDeliveryFailure, Timeout, of_answer, own_delivery_errors
from cells.rpc.manager_client import ManagerClient
from cells.rpc.where import Where, as_names
from cells.services.answers import ERROR, RESULT, Answer
from cells.services.request import WAIT_SECONDS, ServiceRequest


class _Unchanged:
    def __repr__(self) -> str:
        return "UNCHANGED"


#: Default of the arguments of prepare(): the option stays as it is.
UNCHANGED: Any = _Unchanged()

#: Public attributes of oslo.messaging's clients and of their contexts.
ATTRIBUTES = frozenset(
    {
        "call_monitor_timeout",
        "conf",
        "retry",
        "serializer",
        "target",
        "timeout",
        "transport",
        "transport_options",
        "version_cap",
    }
)

#: The client waits so much longer for a heartbeat of its manager than the manager does for that of the far cell.
MONITOR_GRACE_SECONDS = 2.0
SHORTEST_MONITOR_SECONDS = 2
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 2.0


class CallContext:
    """Client with the options of one call; :meth:`prepare` returns it.  Thread-safe.

    Its attributes are those of oslo.messaging's client.  Each call reads them, so that a change of the target or of the
    timeout also changes the calls of other cells.
    """

    def __init__(self, plain: Any, manager: ManagerClient, where: Where) -> None:
        """:param plain: oslo.messaging's client, or its context with the options of one call"""
        self._plain = plain
        self._manager = manager
        self._where = where

    def prepare(  # noqa: PLR0913  # oslo.messaging's signature
        self,
        exchange: Any = UNCHANGED,
        topic: Any = UNCHANGED,
        namespace: Any = UNCHANGED,
        version: Any = UNCHANGED,
        server: Any = UNCHANGED,
        fanout: Any = UNCHANGED,
        timeout: Any = UNCHANGED,
        version_cap: Any = UNCHANGED,
        retry: Any = UNCHANGED,
        call_monitor_timeout: Any = UNCHANGED,
        transport_options: Any = UNCHANGED,
        *,
        cell: Any = UNCHANGED,
        cells: Any = UNCHANGED,
        need: Any = UNCHANGED,
    ) -> CallContext:
        """Return a copy whose calls and casts use other options.  Options that are not given stay as they are.

        :param cell: a full path from the top, a name that is unique for the manager of this cell, or the result of
            :func:`cells.rpc.any_cell`; None: this cell, without its manager
        :param cells: ``"down"`` (this cell and all below), ``"up"`` (this cell and all above), or a list of cells
        :param need: the number of values after which a multicall ends
        :raises cells.exceptions.InvalidArguments: one of these three is not valid
        """
        given = {name: value for name, value in locals().items() if name != "self" and value is not UNCHANGED}
        where = {name: given.pop(name) for name in ("cell", "cells", "need") if name in given}
        if "cells" in where:
            where["cells"] = as_names(where["cells"])
        # oslo.messaging's contexts do not take it, only its clients do.
        transport_options = given.pop("transport_options", UNCHANGED)
        plain = self._plain.prepare(**given)
        if transport_options is not UNCHANGED:
            plain.transport_options = transport_options
        return CallContext(plain, self._manager, dataclasses.replace(self._where, **where))

    def __getattr__(self, name: str) -> Any:
        """Return ``target``, ``timeout`` or another attribute of oslo.messaging's client."""
        # Not self._plain: the copy module reads attributes of an instance that has none yet.
        if name in ATTRIBUTES:
            return getattr(self.__dict__["_plain"], name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, that of oslo.messaging's client if it has the name."""
        if name in ATTRIBUTES:
            setattr(self._plain, name, value)
        else:
            object.__setattr__(self, name, value)

    def can_send_version(self, version: Any = UNCHANGED) -> bool:
        """Return whether the version cap allows ``version``, by default the version of the target."""
        plain = self._plain if version is UNCHANGED else self._plain.prepare(version=version)
        return bool(plain.can_send_version())

    @own_delivery_errors()
    def call(self, ctxt: Any, method: str, **kwargs: Any) -> Any:
        """Call a method and return its value.

        The method runs at most once, even if a cell or broker on the way fails.

        :param kwargs: the arguments of the method: JSON values, or values that the serializer converts to JSON
        :raises cells.rpc.Timeout: there was no answer before the timeout
        :raises cells.rpc.MessageDeliveryFailure: a broker on the way did not take the message, after all retries
        :raises cells.rpc.RemoteError: the method raised an error of a class that is not rebuilt here
        :raises oslo_messaging.RPCVersionCapError: the target needs a later version than the cap
        :raises oslo_messaging.InvalidTarget: the target is a fan-out, which has no single answer
        :raises cells.exceptions.CellsError: the cell is unknown, does not allow the method, or no cell fulfills the
            requirements
        """
        if self._where.cells is not None:
            raise exceptions.InvalidArguments("A call of many cells has many answers: use multicall().")
        if self._where.cell is None:
            with self._manager.within(self._plain_seconds):
                return self._plain.call(ctxt, method, **kwargs)
        request = self._request(ctxt, method, kwargs, is_call=True)
        monitor = request.monitor_seconds
        answer = self._ask(
            ctxt, "call", request, monitor_seconds=None if monitor is None else monitor + MONITOR_GRACE_SECONDS
        )
        return self._value(ctxt, answer)

    @own_delivery_errors()
    def cast(self, ctxt: Any, method: str, **kwargs: Any) -> None:
        """Cast a method of one server, or of all servers if the target is a fan-out.

        Returns when the next cell has the message: its broker, or over a direct link one of its managers.  Later
        failures are not reported.  With ``cells`` the cast goes to each of them.

        :raises cells.rpc.MessageDeliveryFailure: the next cell did not take the message, after all retries.  If
            ``may_arrive`` is true, that was not known at the timeout, and the message may still arrive
        :raises oslo_messaging.RPCVersionCapError: the target needs a later version than the cap
        :raises cells.exceptions.CellsError: the cell is unknown, or no cell fulfills the requirements
        """
        if self._where.cells is not None:
            self._cast_to_many(ctxt, "cast", method, kwargs)
        elif self._where.cell is None:
            with self._manager.within(self._plain_seconds):
                self._plain.cast(ctxt, method, **kwargs)
        else:
            self._value(ctxt, self._ask(ctxt, "cast", self._request(ctxt, method, kwargs)))

    def broadcast(self, ctxt: Any, method: str, **kwargs: Any) -> None:
        """Publish an event: every consumer pool of the topic in each of the cells gets it once.

        :raises cells.rpc.MessageDeliveryFailure: some cells of a list did not get the event; the text names them
        :raises cells.exceptions.CellsError: no cells are named, or a cell is unknown
        """
        if self._where.cells is None and not isinstance(self._where.cell, str):
            raise exceptions.InvalidArguments(
                "An event needs the cells in which it is published: use prepare(cells='down')."
            )
        if self._plain.target.server or self._plain.target.fanout:
            raise exceptions.InvalidArguments(
                "An event goes to each consumer pool of a topic, whatever server= and fanout= say: leave them out."
            )
        self._cast_to_many(ctxt, "event", method, kwargs)

    def multicall(self, ctxt: Any, method: str, **kwargs: Any) -> Answers:
        """Call a method in many cells at once.

        A cell that fails, cannot be reached or does not answer does not delay the others.

        :returns: an iterator of ``(cell, value or error)``; a cell of a list has the name that the list gives it,
            another cell its full path
        :raises cells.rpc.Timeout: the manager of this cell did not answer
        :raises oslo_messaging.RPCVersionCapError: the target needs a later version than the cap
        """
        if self._where.cells is None:
            raise exceptions.InvalidArguments(
                "A multicall needs the cells that it calls: use prepare(cells='down').multicall(...)."
            )
        request = self._request(ctxt, method, kwargs, is_call=True)
        seconds = self._timeout_seconds
        deadline = time.monotonic() + seconds
        serialized = self._plain.serializer.serialize_context(ctxt)
        answer = self._manager.ask(
            serialized,
            "multicall_start",
            {"request": request.to_dict(), "cells": self._names, "timeout": shrink(seconds)},
            timeout_seconds=seconds,
            retry=self._plain.retry,
        )
        return Answers(
            self._manager,
            serialized,
            self._result(answer),
            lambda sent: self._value_or_error(ctxt, sent),
            deadline=deadline,
            need=self._where.need,
        )

    @property
    def _timeout_seconds(self) -> float:
        timeout = self._plain.timeout
        if isinstance(timeout, (int, float)) and timeout <= 0:
            raise Timeout(f"The timeout was over before the message was sent: timeout={timeout:.3g}.")
        return want_timeout(self._plain.conf.rpc_response_timeout if timeout is None else timeout)

    @property
    def _plain_seconds(self) -> float:
        """The timeout of a request in this cell; oslo.messaging checks it."""
        timeout = self._plain.conf.rpc_response_timeout if self._plain.timeout is None else self._plain.timeout
        return float(timeout) if isinstance(timeout, (int, float)) else math.inf

    @property
    def _names(self) -> str | list[str]:
        """The cells, in the form that the manager takes."""
        if isinstance(self._where.cell, str):
            return [self._where.cell]
        return self._where.cells if isinstance(self._where.cells, str) else list(self._where.cells or ())

    def _request(self, ctxt: Any, method: str, kwargs: Mapping[str, Any], *, is_call: bool = False) -> ServiceRequest:
        plain, target = self._plain, self._plain.target
        if is_call and target.fanout:
            raise oslo_messaging.InvalidTarget("A call cannot be used with fanout", target)
        monitor_seconds = _monitor_seconds(plain.call_monitor_timeout) if is_call else None
        if not plain.can_send_version():
            raise oslo_messaging.RPCVersionCapError(version=target.version, version_cap=plain.version_cap)
        return ServiceRequest(
            topic=target.topic,
            method=method,
            args={name: plain.serializer.serialize_entity(ctxt, value) for name, value in kwargs.items()},
            exchange=target.exchange or plain.conf.control_exchange,
            namespace=target.namespace,
            version=target.version,
            server=target.server,
            fanout=bool(target.fanout),
            monitor_seconds=monitor_seconds,
            at_least_once=bool(getattr(plain.transport_options, "at_least_once", False)),
        )

    def _ask(self, ctxt: Any, operation: str, request: ServiceRequest, monitor_seconds: float | None = None) -> Answer:
        """Send a request to the manager, and repeat it while the next cell cannot be reached and retries are left."""
        plain = self._plain
        deadline = time.monotonic() + self._timeout_seconds
        serialized = plain.serializer.serialize_context(ctxt)
        # The same id each time: a message that arrived in spite of an error does not run twice.
        arguments = {"request": request.to_dict(), "message_id": str(uuid.uuid4()), "cell": self._where.target_cell}
        retries_left = _retries(plain.retry)
        pause_seconds = FIRST_PAUSE_SECONDS
        answer: Answer | None = None
        while True:
            left_seconds = max(deadline - time.monotonic(), 0.001)
            try:
                answer = self._manager.ask(
                    serialized,
                    operation,
                    {**arguments, "timeout": shrink(left_seconds)},
                    timeout_seconds=left_seconds,
                    monitor_seconds=monitor_seconds,
                    retry=plain.retry,
                )
            except Timeout as error:
                if answer is None:
                    raise
                # The last attempt may be too short for an answer; the answer before it has the reason.
                raise Timeout(f"{of_answer(answer, plain.transport)} The timeout ended the retries.") from error
            may_wait = time.monotonic() + pause_seconds < deadline
            if not (may_wait and retries_left != 0 and _may_be_sent_again(answer)):
                return answer
            retries_left = None if retries_left is None else retries_left - 1
            time.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    def _cast_to_many(self, ctxt: Any, what: str, method: str, kwargs: Mapping[str, Any]) -> None:
        request, seconds = self._request(ctxt, method, kwargs), self._timeout_seconds
        answer = self._manager.ask(
            self._plain.serializer.serialize_context(ctxt),
            "broadcast",
            {"request": {**request.to_dict(), WAIT_SECONDS: shrink(seconds)}, "cells": self._names, "what": what},
            timeout_seconds=seconds,
            retry=self._plain.retry,
        )
        errors = {cell: of_answer(sent, self._plain.transport) for cell, sent in self._result(answer)}
        failed = {cell: error for cell, error in errors.items() if error is not None}
        if len(failed) == 1:
            raise next(iter(failed.values()))
        if failed:
            texts = "; ".join(f"{cell}: {error}" for cell, error in failed.items())
            uncertain = {"may_arrive": True} if any(getattr(e, "may_arrive", None) for e in failed.values()) else {}
            text = f"{len(failed)} of {len(errors)} cells did not get the message: {texts}"
            raise MessageDeliveryFailure(text, **uncertain)

    def _value(self, ctxt: Any, answer: Answer) -> Any:
        value = self._value_or_error(ctxt, answer)
        if isinstance(value, Exception):
            raise value
        return value

    def _value_or_error(self, ctxt: Any, answer: Answer) -> Any:
        error = of_answer(answer, self._plain.transport)
        if error is not None:
            return error
        try:
            return self._plain.serializer.deserialize_entity(ctxt, answer[RESULT])
        except Exception as problem:  # an unreadable answer of one cell must not end a multicall
            return problem

    def _result(self, answer: Answer) -> Any:
        """Return the result of an operation of the manager, which no serializer has converted."""
        error = of_answer(answer, self._plain.transport)
        if error is not None:
            raise error
        return answer[RESULT]


def _monitor_seconds(seconds: float | None) -> float | None:
    """Return ``call_monitor_timeout`` after a check.

    :raises cells.exceptions.InvalidArguments: it is shorter than the heartbeats of servers
    """
    if seconds is not None and want_timeout(seconds, "call_monitor_timeout") < SHORTEST_MONITOR_SECONDS:
        raise exceptions.InvalidArguments(
            f"call_monitor_timeout must be at least {SHORTEST_MONITOR_SECONDS} seconds, not {seconds!r:.40}: the "
            "servers of oslo.messaging send no heartbeats more often."
        )
    return seconds


def _retries(retry: object) -> int | None:
    """Return the number of retries of a send; None: until the timeout.

    :raises cells.exceptions.InvalidArguments: ``retry`` is neither None nor a whole number
    """
    if retry is not None and (isinstance(retry, bool) or not isinstance(retry, int)):
        raise exceptions.InvalidArguments(f"retry must be None or a whole number, not {retry!r:.40}.")
    return retry if retry is not None and retry >= 0 else None


def _may_be_sent_again(answer: Answer) -> bool:
    """Return whether a neighbor on the way was not reached, so that the method cannot run."""
    if ERROR not in answer:
        return False
    error = failure.from_json(answer[ERROR], ("cells.exceptions",))
    # A message that arrives late runs, and its repetition too if another manager of the same cell gets it.
    return isinstance(error, (exceptions.NeighborUnreachable, exceptions.NeighborBusy)) and not error.may_arrive
