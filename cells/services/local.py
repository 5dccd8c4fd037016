"""LocalServices: calls and casts to the services of the manager's own cell, for services of other cells.

The called service is any oslo.messaging server.  A waiting call holds a thread of the bounded
pool of its topic; casts have a separate pool.  So long calls delay no casts, and
neither delays the forwarding of messages.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import oslo_messaging

from cells import exceptions, failure
from cells.context import Current
from cells.limited_log import LimitedLog
from cells.services import events, fanout
from cells.services.allow_list import AllowedServices
from cells.services.answers import FAILURE, RESULT, Answer
from cells.services.heartbeats import Heartbeats
from cells.services.request import RESERVED, ServiceRequest
from cells.services.thread_pools import ServiceThreads
from cells.services.usage import ServiceUsage
from cells.transport.errors import BROKER_ERRORS, may_arrive
from cells.transport.patches import raw_failures
from cells.transport.patches.reachability import RequestLimits
from cells.worker_threads import WorkerThreads, new_id

LOG = logging.getLogger(__name__)

#: Enough, because a broker accepts a message within milliseconds.
CAST_THREADS = 8
AT_LEAST_ONE_SERVER = oslo_messaging.TransportOptions(at_least_once=True)
#: One retry reopens a connection that the broker closed while it was idle; a broker that is down blocks no thread
#: forever.
RETRY = 1
#: Limit of the time until the broker has a cast.
SEND_SECONDS = 10.0
#: Errors between this manager and its broker; all other errors come from the service.
TRANSPORT_ERRORS = (oslo_messaging.MessagingException, oslo_messaging.MessageUndeliverable, *BROKER_ERRORS)


@dataclass(kw_only=True, eq=False, repr=False)
class LocalServices:
    """The services of this cell.  Thread-safe; the constructor does no I/O."""

    cell_name: str
    #: of this cell's broker, opened with :data:`raw_failures.KEEP`; None if there is no broker
    transport: Any
    allowed: AllowedServices
    max_threads: int
    max_waiting: int
    #: [cells] send_tracebacks
    sends_tracebacks: bool = False
    heartbeats: Heartbeats = field(default_factory=Heartbeats)
    usage: ServiceUsage = field(default_factory=lambda: ServiceUsage(()))
    make_client: Callable[..., Any] = oslo_messaging.get_rpc_client

    def __post_init__(self) -> None:
        self._calls = ServiceThreads(self.max_threads, self.max_waiting)
        self._casts = WorkerThreads(CAST_THREADS, self.max_waiting, "cells-service-cast")
        self._client: Any = None
        self._log = LimitedLog(LOG)
        if self.transport is not None:
            raw_failures.RAW_FAILURES.apply()
            self._within = RequestLimits(self.transport).within
            self._client = self.make_client(self.transport, oslo_messaging.Target(), retry=RETRY)

    def call(
        self,
        request: ServiceRequest,
        context: Mapping[str, Any],
        timeout_seconds: float,
        *,
        neighbor: str,
        still_working: Callable[[], object] | None = None,
    ) -> futures.Future[Answer]:
        """Call a method of a service.  Does not block.

        :param neighbor: sent the request, so the allow-list applies; empty: a service of this cell
        :param still_working: sends a heartbeat; called periodically while the method runs, if the call is monitored
        :returns: a future of ``{"result": value}``, or of ``{"failure": text}`` if the service raised
        :raises cells.exceptions.CellsError: the call was not made or not answered; may also be raised by the future
        """
        self._check(request, neighbor=neighbor)
        if request.fanout:
            raise exceptions.InvalidArguments(
                f"A call of {request} cannot be a fan-out, because a call has one answer."
            )
        self._count(request, neighbor, "calls")
        deadline = time.monotonic() + timeout_seconds
        answer: futures.Future[Answer] = futures.Future()
        call = partial(self._call, request, context, deadline, timeout_seconds, neighbor=neighbor)
        self._calls.run(request.topic, lambda: _settle(answer, call, context), neighbor)
        if still_working is not None and request.monitor_seconds is not None:
            stop = self.heartbeats.start(still_working, request.monitor_seconds)
            answer.add_done_callback(lambda _: stop())
        return answer

    def cast(self, request: ServiceRequest, context: Mapping[str, Any], *, neighbor: str) -> futures.Future[None]:
        """Cast a method of a service, or of all its servers.  Does not block.

        :returns: a future that is done when the broker of this cell has the message
        :raises cells.exceptions.CellsError: the message was not sent; may also be raised by the future
        """
        return self._send(request, context, self._cast, neighbor=neighbor)

    def publish(self, request: ServiceRequest, context: Mapping[str, Any], *, neighbor: str) -> futures.Future[None]:
        """Send an event to each consumer pool of a topic; otherwise like :meth:`cast`."""
        return self._send(request, context, self._publish, neighbor=neighbor)

    def stop(self, timeout_seconds: float) -> bool:
        """Accept no more work, wait for running work and close; False on timeout.  May be called twice."""
        deadline = time.monotonic() + timeout_seconds
        are_done = [pool.stop(max(0.0, deadline - time.monotonic())) for pool in (self._calls, self._casts)]
        if self.transport is not None:
            self.transport.cleanup()
        return all(are_done)

    def _check(self, request: ServiceRequest, *, neighbor: str) -> None:
        if neighbor:
            try:
                self.allowed.check(request, self.cell_name)
            except exceptions.ServiceNotAllowed:
                self._count(request, neighbor, "refused")
                raise
        if self._client is None:
            raise exceptions.ServiceUnreachable(
                f"{request} cannot be reached: this manager of cell {self.cell_name} has no broker for its services.",
                cell=self.cell_name,
            )

    def _send(
        self,
        request: ServiceRequest,
        context: Mapping[str, Any],
        send: Callable[[ServiceRequest, Mapping[str, Any]], None],
        *,
        neighbor: str,
    ) -> futures.Future[None]:
        self._check(request, neighbor=neighbor)
        self._count(request, neighbor, "casts")
        sent: futures.Future[None] = futures.Future()

        def work() -> None:
            try:
                with self._within(SEND_SECONDS):
                    send(request, context)
            except exceptions.ServiceUnreachable:
                self._count(request, neighbor, "unreachable")
                raise

        self._casts.run(lambda: _settle(sent, work, context), neighbor=neighbor)
        return sent

    def _call(
        self,
        request: ServiceRequest,
        context: Mapping[str, Any],
        deadline: float,
        timeout_seconds: float,
        *,
        neighbor: str,
    ) -> Answer:
        left_seconds = deadline - time.monotonic()
        if left_seconds <= 0:
            self._count(request, neighbor, "timed_out")
            raise self._timeout(
                request, f"was not called: all its threads were busy for the whole timeout of {timeout_seconds:.3g} s"
            )
        prepared = self._prepared(
            request,
            timeout=left_seconds,
            call_monitor_timeout=request.monitor_seconds,
            # A topic without servers fails at once instead of holding a thread until the timeout.
            transport_options=AT_LEAST_ONE_SERVER,
        )
        try:
            with self._within(left_seconds):
                return {RESULT: prepared.call(dict(context), request.method, **request.args)}
        except oslo_messaging.MessagingTimeout as error:
            self._count(request, neighbor, "timed_out")
            waited_seconds = left_seconds - (deadline - time.monotonic())
            is_early = deadline > time.monotonic() + 0.05
            failed = "sent no more heartbeats after" if is_early else "did not answer within"
            exchange = f", with control_exchange = {request.exchange}" if request.exchange else ""
            raise self._timeout(
                request, f"{failed} {waited_seconds:.3g} s: check that a server of that topic runs there{exchange}"
            ) from error
        except oslo_messaging.RPCDispatcherError as error:
            return {FAILURE: self._failure(request, error, neighbor=neighbor)}
        except TRANSPORT_ERRORS as error:
            self._count(request, neighbor, "unreachable")
            raise self._unreachable(request, error) from error
        except Exception as error:  # the service raised it, for the caller
            return {FAILURE: self._failure(request, error, neighbor=neighbor)}

    def _failure(self, request: ServiceRequest, error: Exception, *, neighbor: str) -> str:
        """Return the text of a failure; its traceback stays in the log of this cell unless it may travel."""
        self._count(request, neighbor, "failed")
        text = raw_failures.text_of(error)
        if not neighbor or self.sends_tracebacks:
            return text
        log_id = new_id()
        text, lines = failure.without_traceback(text, log_id)
        if lines:
            line = "%s failed for another cell (log id %s)."
            if self._log.log_about(logging.INFO, f"failures of {request}", line, request, log_id):
                failure.log_lines(LOG, log_id, lines)
        return text

    def _cast(self, request: ServiceRequest, context: Mapping[str, Any]) -> None:
        try:
            if request.fanout:
                target = oslo_messaging.Target(topic=request.topic, exchange=request.exchange)
                fanout.cast_to_all(self.transport, target, context, request.message, retry=RETRY)
            else:
                options = AT_LEAST_ONE_SERVER if request.at_least_once else None
                prepared = self._prepared(request, transport_options=options)
                prepared.cast(dict(context), request.method, **request.args)
        except TRANSPORT_ERRORS as error:
            raise self._unreachable(request, error) from error

    def _publish(self, request: ServiceRequest, context: Mapping[str, Any]) -> None:
        target = oslo_messaging.Target(topic=request.topic, exchange=request.exchange)
        try:
            events.publish(self.transport, target, context, request.message, publisher=self.cell_name, retry=RETRY)
        except TRANSPORT_ERRORS as error:
            raise self._unreachable(request, error) from error

    def _prepared(self, request: ServiceRequest, **options: Any) -> Any:
        reserved = request.args.keys() & RESERVED
        if reserved:
            raise exceptions.InvalidArguments(
                f"{request} cannot have an argument {', '.join(sorted(reserved))}: oslo.messaging reserves that name.",
                method=request.method,
            )
        try:
            return self._client.prepare(
                topic=request.topic,
                exchange=request.exchange,
                namespace=request.namespace,
                version=request.version,
                server=request.server,
                **options,
            )
        except (oslo_messaging.MessagingException, AttributeError) as error:  # the version is no version number
            raise exceptions.InvalidArguments(f"{request}: {error}") from error

    def _count(self, request: ServiceRequest, neighbor: str, event: str) -> None:
        self.usage.count(request, neighbor or self.cell_name, event)

    def _timeout(self, request: ServiceRequest, reason: str) -> exceptions.ServiceTimeout:
        return exceptions.ServiceTimeout(f"{request} of cell {self.cell_name} {reason}.", cell=self.cell_name)

    def _unreachable(self, request: ServiceRequest, error: Exception) -> exceptions.ServiceUnreachable:
        if isinstance(error, oslo_messaging.MessageUndeliverable):
            reason = "no server of that topic runs there or has ever run there; start it, or correct the topic"
        else:
            reason = f"{type(error).__name__}: {str(error).rstrip('.')}"
        return exceptions.ServiceUnreachable(
            f"A message for {request} of cell {self.cell_name} was not accepted: {reason}.",
            cell=self.cell_name,
            may_arrive=may_arrive(error) or None,
        )


def _settle(done: futures.Future[Any], work: Callable[[], Any], context: Mapping[str, Any]) -> None:
    try:
        with Current(context):
            result = work()
        done.set_result(result)
    except BaseException as error:  # the caller gets every error
        done.set_exception(error)
