"""Runs here what has arrived: the endpoint that a message names, once, in time, on the right thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent import futures
from functools import partial
from typing import Any

from cells import exceptions
from cells.counters import Counters
from cells.endpoints import Call, Endpoints, LocalCell
from cells.messages import Message, Response
from cells.routing.duplicates import SeenMessages
from cells.worker_threads import WorkerThreads

LOG = logging.getLogger(__name__)

OnResponse = Callable[[Response], object]


class Execution:
    """Invokes endpoints.  Thread-safe."""

    def __init__(self, endpoints: Endpoints, threads: WorkerThreads, counters: Counters) -> None:
        self._endpoints = endpoints
        self._threads = threads
        self._counters = counters
        self._seen = SeenMessages()
        self._cell: LocalCell | None = None

    def bind(self, cell: LocalCell) -> None:
        """Say which cell endpoints see: it sends messages, so it is made after what receives them."""
        self._cell = cell

    def may_block(self, method: str) -> bool:
        """Whether the endpoint's answer may take its time."""
        return self._endpoints.may_block(method)

    def run(
        self,
        message: Message,
        on_response: OnResponse,
        still_working: Callable[[], object],
        *,
        only_errors: bool = False,
    ) -> None:
        """Run the endpoint.  Never raises, and does not wait for it.

        :param on_response: called with what it returned or raised; not at all if the same message has run before
        :param still_working: what the endpoint calls to say that its answer will still come
        :param only_errors: who waits for nothing is called with what it raised, and not with what it returned
        """
        try:
            if not self._is_new(message):
                self._counters.count("dropped", "duplicate")
                LOG.info("A %s message (%s) came by %s once more.", message.message_type, message.method, message.route)
            elif self._endpoints.may_block(message.method):
                self._threads.run(partial(self._run, message, on_response, still_working, only_errors=only_errors))
            else:
                self._run(message, on_response, still_working, only_errors=only_errors)
        except exceptions.CellsError as error:
            self._counters.count("refused", type(error).__name__)
            on_response(Response(str(message.route), error=error))

    def _is_new(self, message: Message) -> bool:
        """Whether it has not run here yet; an answer that nobody waits for does no harm."""
        is_harmless = message.response_to is not None or message.is_at_source
        return is_harmless or self._seen.is_new(message.id, message.route)

    def _run(
        self, message: Message, on_response: OnResponse, still_working: Callable[[], object], *, only_errors: bool
    ) -> None:
        assert self._cell is not None, "bind() comes before the first message"  # noqa: S101  # wiring, not input
        # It may have waited for a thread.
        if message.is_late(time.monotonic()):
            on_response(too_late(message, self._counters))
            return
        try:
            arguments, context = message.contents()
        except exceptions.MessageError as error:
            self._counters.count("rejected", type(error).__name__)
            on_response(Response(str(message.route), error=error))
            return
        call = Call(
            cell=self._cell,
            method=message.method,
            arguments=arguments,
            message_type=message.message_type,
            route=message.route,
            response_to=message.response_to,
            context_values=context,
            deadline=message.deadline,
            traceparent=message.traceparent,
            still_working=still_working,
        )
        self._tell(message, partial(self._endpoints.invoke, call), on_response, only_errors=only_errors)

    def _tell(self, message: Message, ask: Callable[[], Any], on_response: OnResponse, *, only_errors: bool) -> None:
        """Call ``on_response`` with what ``ask`` returns or raises, as soon as that is known."""
        error: Exception | SystemExit
        try:
            value = ask()
        except (Exception, SystemExit) as raised:
            error = raised
        else:
            if isinstance(value, futures.Future):
                value.add_done_callback(
                    lambda done: self._tell(message, done.result, on_response, only_errors=only_errors)
                )
            elif not only_errors:
                on_response(Response(str(message.route), value))
            return
        on_response(Response(str(message.route), error=self._noted(message, error)))

    def _noted(self, message: Message, error: Exception | SystemExit) -> Exception:
        """What the caller hears of an error that an endpoint raised: it is counted, and logged if it is of no kind."""
        if isinstance(error, exceptions.CellsError):
            self._counters.count("failed", type(error).__name__)
            return error
        # SystemExit would end the thread that reads messages, and nobody would be told.
        told = (
            error
            if isinstance(error, Exception)
            else RuntimeError(f"The endpoint wanted to end the process: SystemExit({error.code!r:.80})")
        )
        self._counters.count("failed", "Exception")
        LOG.warning("The endpoint %s failed: %s: %s", message.method, type(told).__name__, told)
        LOG.debug("Where it failed:", exc_info=told)
        return told


def too_late(message: Message, counters: Counters) -> Response:
    """The answer to what came, or got its turn, when nobody waited for it any more; it is counted and logged."""
    counters.count("dropped", "late")
    LOG.info(
        "A %s message (%s) of %s is not run: it came too late for who waits for its answer.",
        message.message_type,
        message.method,
        message.route.first,
    )
    return Response(
        str(message.route),
        error=exceptions.CellTimeout(
            f"Cell {message.route} did not run {message.title}: it got there when its time was over.",
            cell=str(message.route),
        ),
    )
