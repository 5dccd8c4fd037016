"""Runs the endpoints that messages name: each message once, in time, on the right thread."""

from __future__ import annotations

import logging
import math
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

from cells import exceptions, failure
from cells.context import Current
from cells.counters import Counters
from cells.endpoints import Call, Endpoints, LocalCell
from cells.endpoints.permissions import PROTOCOL, Permissions
from cells.messages import Message, Response
from cells.neighbors import Neighbor
from cells.routing.budgets import NeighborBudgets
from cells.routing.duplicates import SeenMessages
from cells.routing.error_replies import too_late
from cells.routing.outcomes import Outcomes
from cells.routing.reply import LOG_ONLY, WORKING, Sink, settle
from cells.services.request import ServiceRequest
from cells.worker_threads import Runtime, WorkerThreads

LOG = logging.getLogger(__name__)


@dataclass(eq=False, repr=False)
class Executor:
    """Invokes endpoints.  Thread-safe."""

    endpoints: Endpoints
    threads: WorkerThreads
    #: of the messages of neighbors that run, or wait for a thread
    budgets: NeighborBudgets
    permissions: Permissions
    counters: Counters
    runtime: Runtime = field(default_factory=Runtime)
    outcomes: Outcomes = field(default_factory=Outcomes)
    #: [cells] send_tracebacks
    sends_tracebacks: bool = False
    #: the cell that endpoints see.  It sends messages, so it is made, and set, after the parts that receive messages
    cell: LocalCell = field(init=False)

    def __post_init__(self) -> None:
        self._seen = SeenMessages()

    def may_block(self, method: str) -> bool:
        """Return whether the endpoint of ``method`` may block."""
        return self.endpoints.may_block(method)

    def run(self, message: Message, sink: Sink) -> None:
        """Run the endpoint that ``message`` names.  Never raises, and does not wait for the endpoint.

        A message that has run before runs no second time, and gets no reply.

        :param sink: takes the value that the endpoint returns, or the error that it raises; LOG_ONLY: only errors are
            looked at
        """
        run = _Run(self, message, sink)
        # Looked up once: this is called for each message of a batch.
        sender, method = message.route.sender, message.method
        try:
            if not self._is_new(message, sender):
                self.counters.count("dropped", "duplicate")
                self.outcomes.log_about(
                    message,
                    "duplicate",
                    "A %s message (%s) came by the route %s once more.",
                    message.message_type,
                    method,
                    message.route.as_route,
                )
                return
            if message.response_to is None:
                row = self.permissions.check(method, sender)
                # Requests about cells end at once, and refused they would show the link to a busy cell as broken.
                if sender is not None and method not in PROTOCOL:
                    run.take_budget(sender, row)
            if self.endpoints.may_block(method):
                run.begin()
                self.threads.run(run.start, neighbor=run.neighbor)
            else:
                run.start()
        except exceptions.CellsError as error:
            self.counters.count("refused", type(error).__name__)
            run.give_up(Response(str(message.route), error=error))
            run.give_back_budget()

    def _is_new(self, message: Message, sender: str | None) -> bool:
        """Return whether the message has not run here yet; a duplicate of an answer does no harm."""
        is_harmless = message.response_to is not None or sender is None
        return is_harmless or self._seen.is_new(message.id, message.route)


@dataclass(slots=True, eq=False, repr=False)
class _Run:
    """One run of an endpoint."""

    executor: Executor
    message: Message
    sink: Sink
    #: the neighbor whose budget the run uses; empty: none
    neighbor: str = ""
    size_bytes: int = 0
    #: the longest time that the endpoint may work for that neighbor
    max_seconds: float = math.inf
    #: the endpoint has returned a future
    is_unfinished: bool = False
    #: the message is counted as in flight in this cell
    is_in_flight: bool = False

    def take_budget(self, neighbor: str, row: Neighbor | None) -> None:
        """Use the budget of the neighbor that sent the request, until the run ends.

        :param row: of the neighbor; None: it was removed since the request came
        :raises cells.exceptions.ManagerBusy: the budget is spent
        """
        budgets, size_bytes = self.executor.budgets, self.message.size_bytes
        budgets.take(neighbor, size_bytes)
        self.neighbor, self.size_bytes, self.max_seconds = neighbor, size_bytes, budgets.limits.seconds_of(row)

    def give_back_budget(self) -> None:
        """Give the budget back.  May be called twice."""
        neighbor, self.neighbor = self.neighbor, ""
        if neighbor:
            self.executor.budgets.give_back(neighbor, self.size_bytes)

    @property
    def is_cast(self) -> bool:
        """Whether no caller notices if the message does not run."""
        return self.sink is LOG_ONLY and self.message.response_to is None

    def begin(self) -> None:
        """Count a cast as in flight until it has run, because it runs on after the thread that reads has left it.

        Until then it is counted with the request that it came with, see :mod:`cells.transport.custody`.
        """
        if self.is_cast and not self.is_in_flight:
            self.is_in_flight = True
            self.executor.outcomes.begin(self.message)

    def start(self) -> None:
        """Invoke the endpoint; its value or error goes to the sink, perhaps later."""
        try:
            self._start()
        finally:
            if not self.is_unfinished:
                self.give_back_budget()

    def _start(self) -> None:
        executor, message = self.executor, self.message
        now, max_seconds = executor.runtime.clock(), self.max_seconds
        # The message may have waited for a thread.
        if message.is_late(now):
            self.give_up(too_late(message, executor.counters, executor.outcomes))
            return
        try:
            content = message.content()
        except exceptions.MessageError as error:
            executor.counters.count("rejected", type(error).__name__)
            self.give_up(Response(str(message.route), error=error))
            return
        call = Call(
            cell=executor.cell,
            method=message.method,
            arguments=content.kwargs,
            message_type=message.message_type,
            route=message.route,
            response_to=message.response_to,
            context_values=content.context,
            deadline=None if message.deadline is None else min(message.deadline, now + max_seconds),
            max_seconds=max_seconds,
            traceparent=message.traceparent,
            still_working=self._still_working,
            check_service=self._check_service,
        )
        problem: BaseException
        try:
            with Current(content.context):
                value = executor.endpoints.invoke(call)
        except BaseException as error:  # none may end the thread, which reads messages or runs the next call
            problem = error
        else:
            self._finish(value)
            return
        # Outside the except block: an error while this one is reported must not have it as its context.
        self._fail(problem)

    def _check_service(self, request: ServiceRequest) -> None:
        """Check that the row of the neighbor that sent the message allows the call of a service."""
        if not self.message.is_at_source:
            self.executor.permissions.check_service(self.message.route[-2], request)

    def _still_working(self) -> None:
        """Tell the caller that the answer will still come."""
        self.sink.take(WORKING)

    def _finish(self, value: Any) -> None:
        if isinstance(value, futures.Future):
            self.is_unfinished = True
            self.begin()
            value.add_done_callback(self._finish_later)
        elif self.sink is LOG_ONLY:
            self._end()
        else:
            message = self.message
            trace = None
            if message.trace is not None and message.is_at_source:
                # An answer that never travels gathers no events on its way.
                trace = message.recording("answered", self.executor.runtime.wall_clock()).trace
            settle(self.sink, Response(str(message.route), value, trace=trace or ()))

    def _finish_later(self, done: futures.Future[Any]) -> None:
        self.is_unfinished = False
        try:
            self._settle_future(done)
        finally:
            if not self.is_unfinished:
                self.give_back_budget()

    def _settle_future(self, done: futures.Future[Any]) -> None:
        problem: BaseException
        try:
            value = done.result()
        except BaseException as error:  # set by the endpoint, as above
            problem = error
        else:
            self._finish(value)
            return
        self._fail(problem)

    def _fail(self, error: BaseException) -> None:
        """Count an error of the endpoint, log it unless it is one of this project, and give it to the caller."""
        counters, message = self.executor.counters, self.message
        if isinstance(error, exceptions.CellsError):
            counters.count("failed", failure.name_of(error))
            if self.is_cast:
                # Such an error of a cast says that its service was not reached, or is not allowed.
                self.give_up(Response(str(self.message.route), error=error))
            else:
                self.respond(error)
            return
        counters.count("failed", "Exception")
        name, text = failure.name_of(error), failure.text_of(error)
        line = "The endpoint %s failed: %s: %s (log id %s)"
        reason, details = f"{message.method}: {name}", (message.method, name, text, message.id)
        if self.executor.outcomes.log_about(message, reason, line, *details, level=logging.WARNING):
            # The only place where an operator finds it: the answer has no traceback, unless the operator allows one.
            failure.log_lines(LOG, message.id, failure.traceback_of(error))
        if not isinstance(error, Exception):
            problem = RuntimeError(f"The endpoint raised {name}({text})").with_traceback(error.__traceback__)
            self.respond(problem, message.id)
        else:
            self.respond(error, message.id)

    def respond(self, error: Exception, log_id: str = "") -> None:
        """Give the caller the error of the endpoint.

        :param log_id: names the log records that have its traceback
        """
        response = Response(
            str(self.message.route), error=error, log_id=log_id, with_traceback=self.executor.sends_tracebacks
        )
        self.executor.outcomes.settle(self.message, self.sink, response)
        self._end()

    def give_up(self, response: Response) -> None:
        """Give the caller an error that says that the message has not run."""
        self.executor.outcomes.not_run(self.message, self.sink, response)
        self._end()

    def _end(self) -> None:
        if self.is_in_flight:
            self.is_in_flight = False
            self.executor.outcomes.end(self.message)
