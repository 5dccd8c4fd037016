"""The one place that acts on messages: send, receive, forward, run in this cell, and reply.

A message decides by itself where it goes (:meth:`Message.plan`); the router carries the plan out.  Nothing here
blocks: outgoing messages are left in the send queues of links, and answers are awaited in a table of pending calls.
Each message has one sink, which takes the replies to it; see :mod:`cells.routing.reply`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from cells import exceptions
from cells.counters import Counters
from cells.drivers.base import MAX_MESSAGES_OF_CAST, OnMessage
from cells.links import Links
from cells.messages import (
    HERE,
    Batch,
    BroadcastMessage,
    Hop,
    KnownHeaders,
    Message,
    Origin,
    Plan,
    Response,
    ResponseMessage,
    TargetedMessage,
    for_client,
)
from cells.neighbors import Direction, NeighborTable
from cells.neighbors.link_versions import LinkVersions
from cells.path import CellPath
from cells.routing import error_replies
from cells.routing.budgets import ForeignLimits
from cells.routing.confirmation import DeliveryReport, ToConfirmation, Unconfirmed
from cells.routing.direct_reply import DirectReplies
from cells.routing.error_replies import Silence, too_late
from cells.routing.executor import Executor
from cells.routing.forwarding import ForwardingBatch
from cells.routing.outcomes import UNREADABLE, Outcomes
from cells.routing.pending import PendingCalls, ToPending
from cells.routing.refusals import Refusals
from cells.routing.reply import LOG_ONLY, WORKING, Branch, Forwarded, Joined, Reply, Sink, ToCaller
from cells.routing.waiting_call import Growing, Monitor, Wait
from cells.worker_threads import Runtime

Found = TypeVar("Found")


@dataclass(kw_only=True, eq=False, repr=False)
class Router:
    """Carries messages out.  Thread-safe."""

    cell_name: str
    #: the server name of this manager, to which answers are addressed
    host: str
    table: NeighborTable
    link_versions: LinkVersions
    executor: Executor
    pending: PendingCalls
    limits: ForeignLimits
    links: Links
    counters: Counters
    outcomes: Outcomes
    #: returns the known cells that a broadcast in a direction reaches only through a walk
    beyond: Callable[[CellPath, Direction], Sequence[CellPath]]
    call_timeout_seconds: float
    max_hop_count: int
    max_message_bytes: int
    runtime: Runtime

    def __post_init__(self) -> None:
        self._known_headers = KnownHeaders()
        self._direct_replies = DirectReplies(self.forward, self.links, self.counters)
        self._refusals = Refusals(
            cell_name=self.cell_name,
            table=self.table,
            counters=self.counters,
            outcomes=self.outcomes,
            max_message_bytes=self.max_message_bytes,
            max_hop_count=self.max_hop_count,
            reply=self.reply,
        )

    def send(
        self,
        message: TargetedMessage,
        timeout_seconds: float,
        *,
        is_own: bool = False,
        is_budgeted: bool = False,
        monitor: Monitor | None = None,
    ) -> futures.Future[Reply]:
        """Send a call from this cell.  Never raises: an error on the way is an answer, too.

        :param is_own: the manager makes the call for itself: a graceful stop does not wait for it
        :param is_budgeted: an endpoint makes the call for a neighbor, whose budget it uses already
        :param monitor: gives the call up earlier, when the target was silent for too long
        :returns: a future of the reply, which has one response
        """
        return self._ask(message, Wait(timeout_seconds, is_own=is_own, is_budgeted=is_budgeted, monitor=monitor))

    def broadcast(
        self, message: BroadcastMessage, timeout_seconds: float, parts_to: Sink | None = None
    ) -> futures.Future[Reply]:
        """Send a call to all cells in a direction.  Never raises.

        :param parts_to: takes the replies, each with one or more responses, as they come
        :returns: a future that is done when all expected cells have answered, or at the timeout: of a reply with the
            responses of all cells; with ``parts_to`` only of those that could not be asked
        """
        wait = Wait(timeout_seconds, growing=Growing(parts_to), route=str(message.route))
        return self._ask(message.streaming(), wait)

    def _ask(self, message: Message, wait: Wait) -> futures.Future[Reply]:
        caller = ToCaller()
        asked = message.with_values(deadline=self.runtime.clock() + wait.seconds)
        self._advance(asked.recording("asked", self.runtime.wall_clock()), caller, wait)
        return caller.future

    def deliver(self, message: TargetedMessage, timeout_seconds: float) -> futures.Future[Reply]:
        """Send a targeted cast from this cell, and report whether it was delivered.  Never raises.

        :returns: a future of a reply with one response: without an error once the next cell has the message, or its
            broker has it, or once it has run if the target is this cell.  If neither that nor an error is known at the
            timeout, the response is an error whose ``may_arrive`` is true, and the message waits on
        """
        caller, sink = ToCaller(), ToConfirmation(self.pending, self.runtime.new_id(), HERE)
        unconfirmed = Unconfirmed(message, timeout_seconds)
        try:
            wait = Wait(timeout_seconds, is_confirmation=True)
            self.pending.expect(sink.message_id, (HERE,), wait, caller, unconfirmed)
        except exceptions.CellsError as error:
            self.outcomes.not_run(message, caller, Response(str(message.route), error=error))
        else:
            self._advance(message, sink, reports_delivery=True)
        return caller.future

    def cast(self, message: Message) -> None:
        """Send a message from this cell that no cell answers.

        :raises cells.exceptions.RoutingError: this cell does not know the way
        """
        plan = message.plan(self.table.snapshot(), self.link_versions.toward)
        self._carry_out(message, plan, LOG_ONLY)

    def reply(self, message: Message, reply: Reply) -> None:
        """Send a reply to ``message`` back to the source of ``message``."""
        responses, new_id = reply.responses, self.runtime.new_id
        answer = ResponseMessage.answering(message, responses, reply.branch, reply.passed_on_to, new_id)
        replacement = error_replies.too_large(message, answer, responses, self.max_message_bytes, self.outcomes)
        if replacement is not None:
            self.counters.count("failed", "MessageTooLarge")
            answer = ResponseMessage.answering(message, (replacement,), reply.branch, reply.passed_on_to, new_id)
        self._advance(answer.recording("answered", self.runtime.wall_clock()), LOG_ONLY)

    def receiver(self, driver: str) -> OnMessage:
        """Return the function that takes messages from a driver with this name, as the rows of neighbors have it."""
        return partial(self.receive, driver=driver)

    def receive(self, came: object, neighbor: str = "", age_seconds: float = 0.0, *, driver: str = "") -> None:
        """Take the messages of one cast from a neighbor, as :class:`~cells.drivers.base.OnMessage`.  Never raises.

        :param driver: over which they came; empty: not known
        """
        now = self.runtime.clock()
        batch = self._batch(now, Origin(driver, neighbor), age_seconds)
        if not isinstance(came, list):
            alone = self._safely(self._read, came, batch)
            if alone is not None:
                self.counters.count_received((alone[0].message_type,))
                # Unlike the messages of a batch, it does not wait for room in the send queue.
                self._safely(self._arrived, alone[0], now)
            return
        if len(came) > MAX_MESSAGES_OF_CAST:
            self.counters.count("rejected", "MessageTooLarge", times=len(came))
            text = "A cast of %d messages is refused: %d is the most."
            self.outcomes.log.warn_about("casts of too many messages", text, len(came), MAX_MESSAGES_OF_CAST)
            self.outcomes.refused(UNREADABLE, exceptions.MessageTooLarge(), len(came))
            return
        found = [self._safely(self._read, one, batch) for one in came]
        readable = [arrival for arrival in found if arrival is not None]
        if readable:
            self.counters.count_received([message.message_type for message, _ in readable])
        forwarding = ForwardingBatch(self.links, self._not_forwarded, self.max_message_bytes, now)
        for message, hop in readable:
            if hop is None or not forwarding.add(message, hop):
                if not message.is_at_target:
                    # A forwarded message must not overtake the messages before it.
                    forwarding.send()
                self._safely(self._arrived, message, now)
        forwarding.send()

    def _safely(self, work: Callable[..., Found], *arguments: object) -> Found | None:
        """Return the result of ``work``: a bug must cost one message, not the manager."""
        try:
            return work(*arguments)
        except Exception:
            self.counters.count("rejected", "Bug")
            self.outcomes.refused(UNREADABLE, exceptions.MessageError())
            text = "A message could not be handled."
            self.outcomes.log.log_about(logging.ERROR, "unexpected errors", text, exc_info=True)
            return None

    def _batch(self, now: float, origin: Origin, age_seconds: float) -> Batch:
        return Batch(
            here=self.cell_name,
            neighbors=self.table.snapshot(),
            toward=self.link_versions.toward,
            limit_bytes=self.max_message_bytes,
            default_max_hop_count=self.max_hop_count,
            now=now,
            origin=origin,
            age_seconds=age_seconds,
            remembered=self._known_headers,
        )

    def _read(self, came: object, batch: Batch) -> tuple[Message, Hop | None] | None:
        """Read a message as :meth:`Batch.read`; return None if it is refused."""
        try:
            return batch.read(came)
        except exceptions.MessageError as error:
            self._refusals.refuse(came, error, batch.origin)
            return None

    def _arrived(self, message: Message, now: float) -> None:
        if message.trace is not None:
            event = "received" if message.response_to is None else "answer received"
            message = message.recording(event, self.runtime.wall_clock())
        sink = self._sink_of(message)
        if message.is_late(now):
            self.outcomes.not_run(message, sink, too_late(message, self.counters, self.outcomes))
        elif message.is_at_target:
            self.executor.run(message, sink)
        else:
            self._advance(message, sink)

    def _sink_of(self, message: Message) -> Sink:
        """Return the sink of a message from another cell."""
        return ToSource(self, message) if message.needs_response else LOG_ONLY

    def _not_forwarded(self, message: Message, neighbor: str, error: exceptions.CellsError) -> None:
        self.not_delivered(message, self._sink_of(message), neighbor, error)

    def not_delivered(self, message: Message, sink: Sink, neighbor: str, error: exceptions.CellsError) -> None:
        """Settle a message that ``neighbor`` did not get; an answer that it refuses is replaced by that error."""
        is_refused = isinstance(error, (exceptions.MessageError, exceptions.MessageRefused))
        if is_refused and isinstance(message, ResponseMessage) and not message.is_substitute:
            text = "An answer is replaced by an error, because cell %s did not get it: %s"
            self.outcomes.log_about(message, type(error).__name__, text, neighbor, error.message)
            problem = type(error)(f"The answer cannot be delivered: {error.message}", **error.kwargs)
            self._advance(message.substitute(problem), LOG_ONLY)
        elif isinstance(message, BroadcastMessage) and sink is not LOG_ONLY and not getattr(error, "may_arrive", None):
            # If it may arrive, the cells beyond may answer.
            beyond = self.beyond(CellPath([neighbor]), message.header.direction)
            more = error_replies.not_asked(message, beyond, error)
            self.outcomes.not_delivered(message, Joined(sink, tuple(more)), neighbor, error)
        else:
            self.outcomes.not_delivered(message, sink, neighbor, error)

    def _advance(
        self, message: Message, sink: Sink, wait: Wait | None = None, *, reports_delivery: bool = False
    ) -> None:
        """Plan the steps of ``message`` in this cell, and carry them out.  Never raises a CellsError.

        :param sink: gets no reply from here if the message is forwarded and the next cell answers
        :param wait: how long this cell waits if it collects the answers; None: as long as the message says
        :param reports_delivery: a reply without an error follows once the next cell's broker has the message
        """
        try:
            plan = message.plan(self.table.snapshot(), self.link_versions.toward)
            self._carry_out(message, plan, sink, wait, reports_delivery=reports_delivery)
        except exceptions.CellsError as error:
            self.counters.count("failed", type(error).__name__)
            self.outcomes.not_run(message, sink, Response(str(message.route), error=error))

    def _carry_out(
        self, message: Message, plan: Plan, sink: Sink, wait: Wait | None = None, *, reports_delivery: bool = False
    ) -> None:
        if plan.awaited is not None and sink is not LOG_ONLY:
            self._await(message, plan, sink, wait or self._relay_wait(message, plan, sink))
        for hop in plan.hops:
            collects = hop.answered_by in (plan.awaited or ())
            sink_of_hop = self._sink_of_part(message, plan, sink, hop.answered_by)
            self.forward(message, hop, sink_of_hop, collects=collects, reports_delivery=reports_delivery)
        if plan.run_here:
            own_sink = self._sink_of_part(message, plan, sink, HERE)
            if plan.streams and plan.hops and sink is not LOG_ONLY and self.executor.may_block(message.method):
                # The source has to know which cells to wait for, even if the endpoint here never ends.
                own_sink.take(WORKING)
            self.executor.run(message, own_sink)

    def _relay_wait(self, message: Message, plan: Plan, sink: Sink) -> Wait:
        """Return how long this cell waits for the cells behind it: until the deadline of the message, or the limit.

        At version 1.0 a message has no deadline.  All that a relay can do then is to give up before the cell that it
        has the message from.
        """
        growing, header, neighbor = Growing(sink) if plan.streams else None, message.header, message.route[-2]
        if message.deadline is not None:
            seconds = min(message.deadline - self.runtime.clock(), self.limits.seconds(neighbor))
        else:
            depth = min(header.hop_count - 1, header.max_hop_count)
            seconds = self.call_timeout_seconds * (1 - depth / (header.max_hop_count + 1))
        return Wait(
            seconds, growing=growing, neighbor=neighbor, size_bytes=message.size_bytes, route=str(message.route)
        )

    def _await(self, message: Message, plan: Plan, sink: Sink, wait: Wait) -> None:
        # Streamed replies have gone to the source one by one when the call completes.
        all_to = LOG_ONLY if plan.streams else sink
        level = logging.DEBUG if wait.is_own else logging.INFO
        silence = Silence(message, self.outcomes, level, partial(self._parts_beyond, message))
        self.pending.expect(message.id, plan.awaited or (), wait, all_to, silence)

    def _parts_beyond(self, message: Message, part: str) -> list[str]:
        if not isinstance(message, BroadcastMessage) or part == HERE:
            return []
        return [str(walk) for walk in self.beyond(CellPath.parse(part), message.header.direction)]

    def _sink_of_part(self, message: Message, plan: Plan, sink: Sink, part: str) -> Sink:
        """Return the sink of a reply that this cell itself gives: its own answer, or that a neighbor is unreachable."""
        if sink is LOG_ONLY:
            return sink
        if part in (plan.awaited or ()):
            return ToPending(self.pending, message.id, part)
        if not plan.streams:
            return sink
        if part == HERE:
            return Forwarded(sink, tuple([hop.answered_by for hop in plan.hops]))
        return Branch(sink, part)

    def forward(  # noqa: PLR0913  # the hop, and the wishes of its caller, by keyword
        self,
        message: Message,
        hop: Hop,
        sink: Sink,
        *,
        collects: bool = False,
        reports_delivery: bool = False,
        hold_seconds: float = 0.0,
    ) -> None:
        """Leave a message in the send queue of a neighbor, or send its client the value that it carries.

        :param sink: takes the error if the message cannot be delivered
        :param collects: whether this cell collects the answers to the message
        :param reports_delivery: ``sink`` also gets a reply without an error once the neighbor's broker has the message
        :param hold_seconds: how long the message may wait for others that share its cast
        """
        answer, neighbor = for_client(message, hop), hop.neighbor
        if answer is not None and self._direct_replies.send(answer, hop):
            return
        report = DeliveryReport(self.not_delivered, message, neighbor.name, sink)
        try:
            form = hop.header.addressed(self.host).form(hop.version) if collects else hop.form
            sealed = message.sealed_as(form, self.max_message_bytes)
        except (exceptions.MessageError, exceptions.RPCVersionCapError) as error:
            self.counters.count("undelivered" if message.header.kind else "undelivered_internal", type(error).__name__)
            report.failed(error)
            return
        on_sent = report.delivered if reports_delivery else None
        self.links.send(neighbor, [(sealed, report.failed, on_sent)], hold_seconds=hold_seconds)


@dataclass(frozen=True)
class ToSource:
    """Sink of a message from another cell: replies travel back to the source of the message."""

    router: Router
    message: Message

    def take(self, reply: Reply) -> None:
        self.router.reply(self.message, reply)
