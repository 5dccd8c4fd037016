"""CallContext: a client with what one call of it shall do differently."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import oslo_messaging

from cells import exceptions, failure
from cells.deadlines import shrink, want_timeout
from cells.rpc.answers import Answers
from cells.rpc.exceptions import MessageDeliveryFailure, Timeout, of_answer
from cells.rpc.manager_client import ManagerClient
from cells.services.answers import ERROR, RESULT, Answer
from cells.services.request import ServiceRequest
from cells.services.requirements import CellRequirements


class _Unchanged:
    def __repr__(self) -> str:
        return "UNCHANGED"


#: Of an argument of prepare() that leaves things as they are.
UNCHANGED: Any = _Unchanged()

#: What oslo.messaging's clients and their contexts have, and users of them read.
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

#: Who waits for the manager waits so much longer than the manager waits for a sign of the far cell.
MONITOR_GRACE_SECONDS = 2.0
SHORTEST_MONITOR_SECONDS = 2
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Where:
    """In which cell, or cells, a service is called; in none: in the own one, without its manager."""

    cell: str | CellRequirements | None = None
    cells: str | tuple[str, ...] | None = None
    need: int | None = None

    def __post_init__(self) -> None:
        if self.cell is not None and self.cells is not None:
            raise exceptions.InvalidArguments("A call goes to one cell or to many: give cell= or cells=, not both.")
        if self.cell is not None and not isinstance(self.cell, (str, CellRequirements)):
            raise exceptions.InvalidArguments(
                f"cell= takes a name, a path like 'api!east', or any_cell(...), not {self.cell!r:.80}."
            )
        if isinstance(self.cells, str) and self.cells not in ("down", "up"):
            raise exceptions.InvalidArguments(f"cells= takes 'down', 'up' or a list of cells, not {self.cells!r:.80}.")
        if self.need is not None and (isinstance(self.need, bool) or not isinstance(self.need, int) or self.need < 1):
            raise exceptions.InvalidArguments(f"need= takes a number of answers over 0, not {self.need!r:.40}.")

    @property
    def target_cell(self) -> Any:
        """The one cell, or what is required of it, as the manager is told."""
        return self.cell.to_dict() if isinstance(self.cell, CellRequirements) else self.cell


class CallContext:
    """What ``RPCClient.prepare`` gives.  Immutable and thread-safe."""

    def __init__(self, client: Any, manager: ManagerClient, options: Mapping[str, Any], where: Where) -> None:
        """:param client: of oslo.messaging
        :param options: of its prepare()
        """
        self._client = client
        self._manager = manager
        self._options = options
        self._where = where
        self._plain = client.prepare(**options)

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
        """As :meth:`cells.rpc.RPCClient.prepare`; what is not named stays as it is here."""
        options = {
            "exchange": exchange,
            "topic": topic,
            "namespace": namespace,
            "version": version,
            "server": server,
            "fanout": fanout,
            "timeout": timeout,
            "version_cap": version_cap,
            "retry": retry,
            "call_monitor_timeout": call_monitor_timeout,
            "transport_options": transport_options,
        }
        where = {"cell": cell, "cells": _cells(cells), "need": need}
        return CallContext(
            self._client,
            self._manager,
            {**self._options, **_given(options)},
            replace(self._where, **_given(where)),
        )

    def __getattr__(self, name: str) -> Any:
        """``target``, ``timeout`` and the other attributes of oslo.messaging's own."""
        # Not self._plain: copies are asked for attributes before they have any.
        if name in ATTRIBUTES:
            return getattr(self.__dict__["_plain"], name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def can_send_version(self, version: Any = UNCHANGED) -> bool:
        """Whether the version cap lets a message of ``version`` pass, by default that of the target."""
        plain = self._plain if version is UNCHANGED else self._plain.prepare(version=version)
        return bool(plain.can_send_version())

    def call(self, ctxt: Any, method: str, **kwargs: Any) -> Any:
        """Call a method, and return what it returns.

        It runs at most once, whatever fails on the way.

        :param kwargs: its arguments: JSON values, or what the serializer makes them of
        :raises cells.rpc.Timeout: there was no answer in time
        :raises cells.rpc.MessageDeliveryFailure: a broker on the way did not take it, after all retries
        :raises cells.rpc.RemoteError: the method has raised something that is not rebuilt here
        :raises oslo_messaging.RPCVersionCapError: the target needs a later version than the cap
        :raises oslo_messaging.InvalidTarget: a fan-out has no single answer
        :raises cells.exceptions.CellsError: the cell is unknown, lets nobody call that, or none is as required
        """
        if self._where.cells is not None:
            raise exceptions.InvalidArguments("A call of many cells has many answers: use multicall().")
        if self._where.cell is None:
            return self._plain.call(ctxt, method, **kwargs)
        request = self._request(ctxt, method, kwargs, is_call=True)
        monitor = request.monitor_seconds
        answer = self._ask(
            ctxt, "call", request, monitor_seconds=None if monitor is None else monitor + MONITOR_GRACE_SECONDS
        )
        return self._value(ctxt, answer)

    def cast(self, ctxt: Any, method: str, **kwargs: Any) -> None:
        """Cast a method of one server, or of all if the target is a fan-out.

        Returns when the next cell on the way has it, or has refused it; of what comes after
        that nobody hears.  To many cells it goes to each of them.

        :raises cells.rpc.MessageDeliveryFailure: the broker of the next cell did not take it, after all retries
        :raises oslo_messaging.RPCVersionCapError: the target needs a later version than the cap
        :raises cells.exceptions.CellsError: the cell is unknown, or none is as required
        """
        if self._where.cells is not None:
            self._cast_to_many(ctxt, "cast", method, kwargs)
        elif self._where.cell is None:
            self._plain.cast(ctxt, method, **kwargs)
        else:
            self._value(ctxt, self._ask(ctxt, "cast", self._request(ctxt, method, kwargs)))

    def broadcast(self, ctxt: Any, method: str, **kwargs: Any) -> None:
        """Publish an event: in each of the cells every consumer pool of the topic gets it once.

        :raises cells.rpc.MessageDeliveryFailure: cells of a list could not be sent it; says which
        :raises cells.exceptions.CellsError: no cells are named, or one is unknown
        """
        if self._where.cells is None and not isinstance(self._where.cell, str):
            raise exceptions.InvalidArguments("Say in which cells an event is published: prepare(cells='down').")
        if self._plain.target.server or self._plain.target.fanout:
            raise exceptions.InvalidArguments(
                "An event goes to each consumer pool of a topic, whatever server= and fanout= say: leave them out."
            )
        self._cast_to_many(ctxt, "event", method, kwargs)

    def multicall(self, ctxt: Any, method: str, **kwargs: Any) -> Answers:
        """Call a method in many cells at once.

        A cell that fails, cannot be reached or does not answer costs the others nothing.

        :returns: an iterator of ``(cell, value or error)``, the cell as it was named, or by its full path
        :raises cells.rpc.Timeout: the manager of this cell did not answer
        :raises oslo_messaging.RPCVersionCapError: the target needs a later version than the cap
        """
        if self._where.cells is None:
            raise exceptions.InvalidArguments("Say which cells are called: prepare(cells='down').multicall(...).")
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
            lambda came: self._value_or_error(ctxt, came),
            deadline=deadline,
            need=self._where.need,
        )

    @property
    def _timeout_seconds(self) -> float:
        timeout = self._plain.timeout
        if isinstance(timeout, (int, float)) and timeout <= 0:
            raise Timeout(f"The time was over before anything was sent: timeout={timeout:.3g}.")
        return want_timeout(self._plain.conf.rpc_response_timeout if timeout is None else timeout)

    @property
    def _names(self) -> str | list[str]:
        """The cells, as the manager is told them."""
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
        """Ask the manager, again while the next cell cannot be reached and retries are left."""
        plain = self._plain
        deadline = time.monotonic() + self._timeout_seconds
        serialized = plain.serializer.serialize_context(ctxt)
        # The same message each time: what has come in spite of an error does not run twice.
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
                # The last try can be too short for an answer; what was wrong is known from those before it.
                raise Timeout(f"{of_answer(answer, plain.transport)} Then the time was over.") from error
            may_wait = time.monotonic() + pause_seconds < deadline
            if not (may_wait and retries_left != 0 and _may_be_sent_again(answer)):
                return answer
            retries_left = None if retries_left is None else retries_left - 1
            time.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    def _cast_to_many(self, ctxt: Any, what: str, method: str, kwargs: Mapping[str, Any]) -> None:
        request = self._request(ctxt, method, kwargs)
        answer = self._manager.ask(
            self._plain.serializer.serialize_context(ctxt),
            "broadcast",
            {"request": request.to_dict(), "cells": self._names, "what": what},
            timeout_seconds=self._timeout_seconds,
            retry=self._plain.retry,
        )
        errors = {cell: of_answer(came, self._plain.transport) for cell, came in self._result(answer)}
        failed = {cell: error for cell, error in errors.items() if error is not None}
        if len(failed) == 1:
            raise next(iter(failed.values()))
        if failed:
            texts = "; ".join(f"{cell}: {error}" for cell, error in failed.items())
            raise MessageDeliveryFailure(f"{len(failed)} of {len(errors)} cells could not be sent it: {texts}")

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
        except Exception as problem:  # one cell's answer that cannot be read must not cost those of the others
            return problem

    def _result(self, answer: Answer) -> Any:
        """What the manager itself has to say, which no serializer has seen."""
        error = of_answer(answer, self._plain.transport)
        if error is not None:
            raise error
        return answer[RESULT]


def _monitor_seconds(seconds: float | None) -> float | None:
    """``call_monitor_timeout``, checked.

    :raises cells.exceptions.InvalidArguments: no server would speak that often
    """
    if seconds is not None and want_timeout(seconds, "call_monitor_timeout") < SHORTEST_MONITOR_SECONDS:
        raise exceptions.InvalidArguments(
            f"call_monitor_timeout must be at least {SHORTEST_MONITOR_SECONDS} seconds, not {seconds!r:.40}: for less "
            "the servers of oslo.messaging send no sign of life."
        )
    return seconds


def _retries(retry: object) -> int | None:
    """How often sending is tried again; None: until the time is over.

    :raises cells.exceptions.InvalidArguments: it is no such number
    """
    if retry is not None and (isinstance(retry, bool) or not isinstance(retry, int)):
        raise exceptions.InvalidArguments(f"retry must be None or a whole number, not {retry!r:.40}.")
    return retry if retry is not None and retry >= 0 else None


def _may_be_sent_again(answer: Answer) -> bool:
    """Whether a neighbor on the way was not reached: nothing has run, and nothing will."""
    if ERROR not in answer:
        return False
    error = failure.from_json(answer[ERROR], ("cells.exceptions",))
    # What arrives late runs: the second one would too, if it comes to another manager of the same cell.
    return isinstance(error, (exceptions.NeighborUnreachable, exceptions.NeighborBusy)) and not error.may_arrive


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not UNCHANGED}


def _cells(cells: Any) -> Any:
    """A list of cells as one that cannot change any more."""
    if cells is UNCHANGED or cells is None or isinstance(cells, str):
        return cells
    try:
        names = tuple(cells)
    except TypeError:
        names = (None,)
    if not all(isinstance(name, str) for name in names):
        raise exceptions.InvalidArguments(f"cells= takes 'down', 'up' or a list of cells, not {cells!r:.80}.")
    return names
