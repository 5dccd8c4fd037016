"""The one place that acts on messages: send, receive, pass on, run here, answer.

Where a message goes is decided by the message itself (:meth:`Message.plan`);
the router carries the plan out.  Nothing here waits: outgoing messages are left
in outboxes, answers are awaited in a table of pending calls.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from typing import Any

from cells import exceptions
from cells.counters import Counters
from cells.drivers.outbox import OnSent, Outboxes
from cells.duplicates import SeenMessages
from cells.endpoints import Call, Endpoints, LocalCell
from cells.messages import Hop, Message, Plan, Response, ResponseMessage, parse, salvage
from cells.neighbors import NeighborTable
from cells.pending import Monitor, PendingCalls
from cells.worker_threads import WorkerThreads

LOG = logging.getLogger(__name__)

#: Takes JSON texts of Response; an empty list of them says that the answer will still come.
Answer = Callable[[Sequence[str]], object]

#: The part of a pending call that this cell itself has to give; no neighbour has this name.
HERE = ""


@dataclass(frozen=True)
class Limits:
    """What a message may take: time, hops, bytes."""

    call_timeout_seconds: float = 60.0
    max_hop_count: int = 10
    max_message_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True)
class Patience:
    """How long this cell waits for the answers to a message, and on whose behalf."""

    seconds: float
    is_own: bool = False
    monitor: Monitor | None = None


class Router:
    """Carries out what messages have decided."""

    def __init__(  # noqa: PLR0913  # the parts that the composition root wires together, by keyword
        self,
        *,
        cell_name: str,
        table: NeighborTable,
        endpoints: Endpoints,
        threads: WorkerThreads,
        pending: PendingCalls,
        outboxes: Outboxes,
        counters: Counters,
        limits: Limits,
    ) -> None:
        self._cell_name = cell_name
        self._table = table
        self._endpoints = endpoints
        self._threads = threads
        self._pending = pending
        self._outboxes = outboxes
        self._counters = counters
        self._limits = limits
        self._seen = SeenMessages()
        self._cell: LocalCell | None = None

    def bind(self, cell: LocalCell) -> None:
        """Say which cell endpoints see: it sends through this router, so it is made after it."""
        self._cell = cell

    def send(
        self, message: Message, timeout_seconds: float, *, is_own: bool = False, monitor: Monitor | None = None
    ) -> futures.Future[Sequence[str]]:
        """Send a call from this cell.  Never raises: an error on the way is an answer too.

        :param is_own: the manager asks on its own account: a shutdown does not wait for it
        :param monitor: give up earlier, when the target was silent for too long
        :returns: a future of the answers, JSON texts of Response: one for a targeted
            message, one per cell for a broadcast
        """
        answers: futures.Future[Sequence[str]] = futures.Future()
        self._advance(message, answers.set_result, Patience(timeout_seconds, is_own=is_own, monitor=monitor))
        return answers

    def deliver(self, message: Message) -> futures.Future[Sequence[str]]:
        """Send a targeted cast from this cell, and hear whether it got away.  Never raises.

        :returns: a future of one JSON text of Response: without an error once the next
            cell's broker has the message, or once it has run if the target is this cell
        """
        answers: futures.Future[Sequence[str]] = futures.Future()
        sent = [Response(str(message.route)).to_json()]
        self._advance(message, answers.set_result, Patience(0.0), lambda: answers.set_result(sent))
        return answers

    def cast(self, message: Message) -> None:
        """Send a message from this cell that nobody answers.

        :raises cells.exceptions.RoutingError: this cell does not know the way
        """
        plan = message.plan(self._table.snapshot())
        self._carry_out(message, plan, None, Patience(0.0))

    def receive(self, text: str) -> None:
        """Take a message that has come from a neighbour.  Never raises."""
        try:
            message = self._read(text)
            if message is not None:
                self._counters.count("received")
                answer = partial(self._reply, message) if message.needs_response else None
                self._advance(message, answer, self._patience(message))
        except Exception:  # a bug must cost one message, not the manager
            self._counters.count("rejected", "Bug")
            LOG.exception("A message could not be handled.")

    def _read(self, text: str) -> Message | None:
        limits = self._limits
        try:
            return parse(text, limits.max_message_bytes, limits.max_hop_count).arrived_at(self._cell_name)
        except exceptions.MessageError as raised:
            error = raised
        # Outside the except block: there the log would add the error to its line once more.
        self._counters.count("rejected", type(error).__name__)
        LOG.warning("A message from another cell is refused: %s", error.message)
        salvaged = salvage(text, limits.max_hop_count)
        if salvaged is not None:
            salvaged = salvaged.arrived_at(self._cell_name)
            self._reply(salvaged, [Response(str(salvaged.route), error=error).to_json()])
        return None

    def _patience(self, message: Message) -> Patience:
        """How long this cell waits for the cells behind it: less, the deeper it is.

        At version 1.0 a message does not say how long its source waits.  All that a
        relay can do is to give up before the cell that it has the message from.
        """
        depth = min(message.hop_count - 1, message.max_hop_count)
        return Patience(self._limits.call_timeout_seconds * (1 - depth / (message.max_hop_count + 1)))

    def _advance(
        self, message: Message, answer: Answer | None, patience: Patience, on_sent: OnSent | None = None
    ) -> None:
        """Do what has to be done with ``message`` here.

        :param answer: called once, unless the message is passed on and answered from
            there; None if nobody waits
        """
        try:
            plan = message.plan(self._table.snapshot())
            self._carry_out(message, plan, answer, patience, on_sent)
        except exceptions.CellsError as error:
            self._counters.count("failed", type(error).__name__)
            self._settle(message, answer, Response(str(message.route), error=error))

    def _carry_out(
        self, message: Message, plan: Plan, answer: Answer | None, patience: Patience, on_sent: OnSent | None = None
    ) -> None:
        if plan.gathers and answer is not None:
            parts = [hop.answered_by for hop in plan.hops] + ([HERE] if plan.run_here else [])
            substitute = partial(self._silent, message, logging.DEBUG if patience.is_own else logging.INFO)
            self._pending.expect(
                message.id,
                parts,
                patience.seconds,
                answer,
                substitute,
                is_own=patience.is_own,
                monitor=patience.monitor,
            )
        for hop in plan.hops:
            self._hand_over(hop, self._answer_of(message, plan, answer, hop.answered_by), on_sent)
        if plan.run_here:
            self._run_here(message, self._answer_of(message, plan, answer, HERE))

    def _answer_of(self, message: Message, plan: Plan, answer: Answer | None, part: str) -> Answer | None:
        """Where an answer goes that this cell gives itself: its own, or that a neighbour can not be reached."""
        return partial(self._pending.add, message.id, part) if plan.gathers else answer

    def _hand_over(self, hop: Hop, answer: Answer | None, on_sent: OnSent | None = None) -> None:
        message, neighbor = hop.message, hop.neighbor

        def fail(error: exceptions.CellsError) -> None:
            self._settle(message, answer, Response(str(message.route.child(neighbor.name)), error=error))

        try:
            self._outboxes.send(neighbor, message.sealed(self._limits.max_message_bytes), fail, on_sent)
        except exceptions.MessageError as error:
            self._counters.count("undelivered", type(error).__name__)
            fail(error)

    def _run_here(self, message: Message, answer: Answer | None) -> None:
        try:
            if not self._is_new(message):
                self._counters.count("dropped", "duplicate")
                LOG.info("A %s message (%s) came by %s once more.", message.message_type, message.method, message.route)
            elif self._endpoints.may_block(message.method):
                self._threads.run(lambda: self._run(message, answer))
            else:
                self._run(message, answer)
        except exceptions.CellsError as error:
            self._counters.count("refused", type(error).__name__)
            self._settle(message, answer, Response(str(message.route), error=error))

    def _is_new(self, message: Message) -> bool:
        """Whether it has not run here yet; an answer that nobody waits for does no harm."""
        is_from_here = message.is_at_source or message.response_to is not None
        return is_from_here or self._seen.is_new(message.id, message.route)

    def _run(self, message: Message, answer: Answer | None) -> None:
        """Invoke the endpoint that the message names, and give its answer, now or when it is there."""
        assert self._cell is not None, "bind() comes before the first message"  # noqa: S101  # wiring, not input
        call = Call(
            cell=self._cell,
            method=message.method,
            arguments=message.kwargs,
            message_type=message.message_type,
            route=message.route,
            response_to=message.response_to,
            context_values=message.context,
            still_working=_nothing if answer is None else partial(answer, ()),
        )
        response = self._response(message, partial(self._endpoints.invoke, call))
        if isinstance(response.value, futures.Future):
            response.value.add_done_callback(
                lambda done: self._settle(message, answer, self._response(message, done.result))
            )
        else:
            self._settle(message, answer, response)

    def _response(self, message: Message, ask: Callable[[], Any]) -> Response:
        """What ``ask`` returns or raises."""
        path = str(message.route)
        error: Exception
        try:
            return Response(path, ask())
        except exceptions.CellsError as raised:
            error = raised
            self._counters.count("failed", type(error).__name__)
        except Exception as raised:  # whatever an endpoint raises is the caller's
            error = raised
        except SystemExit as raised:  # it would end the thread that reads messages, and nobody would be told
            error = RuntimeError(f"The endpoint wanted to end the process: SystemExit({raised.code!r:.80})")
        if not isinstance(error, exceptions.CellsError):
            self._counters.count("failed", "Exception")
            LOG.warning("The endpoint %s failed: %s: %s", message.method, type(error).__name__, error)
            LOG.debug("Where it failed:", exc_info=error)
        return Response(path, error=error)

    def _settle(self, message: Message, answer: Answer | None, response: Response) -> None:
        """Give ``response`` to who waits for it; what went wrong here goes to the log, too."""
        if isinstance(response.error, exceptions.CellsError):
            # What no neighbor has taken has had its line in the log where that was found.
            has_its_line = isinstance(response.error, exceptions.DeliveryError) and not isinstance(
                response.error, exceptions.ServiceUnreachable
            )
            LOG.log(
                logging.DEBUG if has_its_line else logging.INFO,
                "A %s message (%s) of %s failed%s: %s",
                message.message_type,
                message.method,
                message.route.first,
                ", and nobody waits for it" if answer is None else "",
                response.error,
            )
        if answer is not None:
            try:
                text = response.to_json()
            except exceptions.MessageError as error:
                text = Response(response.cell, error=error).to_json()
            answer([text])

    def _reply(self, message: Message, answers: Sequence[str]) -> None:
        """Send ``answers`` back to where ``message`` came from."""
        response = ResponseMessage.answering(message, answers)
        limit = self._limits.max_message_bytes
        # Within the message the texts are escaped once more, which makes them longer.
        if sum(map(len, answers)) > limit // 4:
            try:
                response.sealed(limit)
            except exceptions.MessageTooLarge as error:
                self._counters.count("failed", "MessageTooLarge")
                error = exceptions.MessageTooLarge(
                    f"The answer of cell {self._cell_name} to {message.method} can not be sent: {error.message}",
                    cell=self._cell_name,
                    **error.kwargs,
                )
                LOG.info("%s", error.message)
                response = ResponseMessage.answering(message, [Response(str(message.route), error=error).to_json()])
        self._advance(response, None, Patience(0.0))

    def _silent(self, message: Message, level: int, part: str, is_stopping: bool) -> str:
        """The answer that stands for a neighbour that gave none in time."""
        path = message.missing(part)
        LOG.log(level, "Cell %s did not answer %s in time.", path, message.title)
        error: exceptions.CellsError
        if is_stopping:
            error = exceptions.ManagerStopping(
                f"The manager of cell {self._cell_name} was stopped before cell {path} answered {message.title}: "
                "it may run, or have run.",
                cell=self._cell_name,
            )
        else:
            error = exceptions.CellTimeout(
                f"Cell {path} did not answer {message.title} in time: "
                "check that cells-manager runs there, on the way, and behind it.",
                cell=str(path),
            )
        return Response(str(path), error=error).to_json()


def _nothing() -> None:
    """Nobody waits."""
