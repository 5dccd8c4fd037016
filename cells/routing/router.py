"""The one place that acts on messages: send, receive, pass on, run here, answer.

Where a message goes is decided by the message itself (:meth:`Message.plan`);
the router carries the plan out.  Nothing here waits: outgoing messages are left
in the queues of links, answers are awaited in a table of pending calls.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from cells import exceptions
from cells.counters import Counters
from cells.links import Links, OnSent
from cells.messages import (
    HERE,
    BroadcastMessage,
    Hop,
    Message,
    Plan,
    Relay,
    Response,
    ResponseMessage,
    TargetedMessage,
    Transit,
    parse,
    salvage,
)
from cells.neighbors import NeighborTable
from cells.neighbors.link_versions import LinkVersions
from cells.routing import error_replies
from cells.routing.direct_reply import Shortcut
from cells.routing.executor import Execution, too_late
from cells.routing.forwarding import Onward
from cells.routing.pending import Growing, Monitor, PendingCalls
from cells.routing.receipts import Receipts

LOG = logging.getLogger(__name__)

#: Takes JSON texts of Response; an empty list of them says that the answer will still come.
Answer = Callable[..., object]
Found = TypeVar("Found")

#: More than any release sends: a bound for what a neighbor has us do at a time.
MAX_MESSAGES_OF_CAST = 1024


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
    growing: Growing | None = None


#: Of a message that nobody answers.
NO_PATIENCE = Patience(0.0)


class Router:
    """Carries out what messages have decided."""

    def __init__(  # noqa: PLR0913  # the parts that the composition root wires together, by keyword
        self,
        *,
        cell_name: str,
        host: str,
        table: NeighborTable,
        link_versions: LinkVersions,
        execution: Execution,
        pending: PendingCalls,
        links: Links,
        receipts: Receipts,
        counters: Counters,
        limits: Limits,
    ) -> None:
        """:param host: the server name of this manager, to which answers are addressed"""
        self._cell_name = cell_name
        self._host = host
        self._table = table
        self._versions = link_versions
        self._execution = execution
        self._pending = pending
        self._links = links
        self._shortcut = Shortcut(links, receipts, counters)
        self._counters = counters
        self._limits = limits

    def send(
        self,
        message: TargetedMessage,
        timeout_seconds: float,
        *,
        is_own: bool = False,
        monitor: Monitor | None = None,
    ) -> futures.Future[Sequence[str]]:
        """Send a call from this cell.  Never raises: an error on the way is an answer too.

        :param is_own: the manager asks on its own account: a shutdown does not wait for it
        :param monitor: give up earlier, when the target was silent for too long
        :returns: a future of the answer, a list of one JSON text of Response
        """
        return self._ask(message, Patience(timeout_seconds, is_own=is_own, monitor=monitor))

    def broadcast(
        self,
        message: BroadcastMessage,
        timeout_seconds: float,
        on_answers: Callable[[Sequence[str]], object] | None = None,
    ) -> futures.Future[Sequence[str]]:
        """Send a call to all cells in a direction.  Never raises.

        :param on_answers: called with the answers, one or more JSON texts of Response, as they come
        :returns: a future that is done when all that are expected have answered, or their time is over: of a JSON
            text of Response per cell, of none if ``on_answers`` takes them
        """
        take = None if on_answers is None else lambda _, texts: on_answers(texts)
        return self._ask(message.but(streams=True), Patience(timeout_seconds, growing=Growing(take)))

    def _ask(self, message: Message, patience: Patience) -> futures.Future[Sequence[str]]:
        answers: futures.Future[Sequence[str]] = futures.Future()
        asked = message.but(deadline=time.monotonic() + patience.seconds)
        self._advance(asked.noting("asked", time.time()), answers.set_result, patience)
        return answers

    def deliver(self, message: Message) -> futures.Future[Sequence[str]]:
        """Send a targeted cast from this cell, and hear whether it got away.  Never raises.

        :returns: a future of one JSON text of Response: without an error once the next
            cell's broker has the message, or once it has run if the target is this cell
        """
        answers: futures.Future[Sequence[str]] = futures.Future()
        sent = [Response(str(message.route)).to_json()]
        self._advance(message, answers.set_result, NO_PATIENCE, lambda: answers.set_result(sent))
        return answers

    def cast(self, message: Message) -> None:
        """Send a message from this cell that nobody answers.

        :raises cells.exceptions.RoutingError: this cell does not know the way
        """
        plan = message.plan(self._table.snapshot(), self._versions.toward)
        self._carry_out(message, plan, None, NO_PATIENCE)

    def receive(self, came: object) -> None:
        """Take what has come from a neighbor.  Never raises.

        :param came: the JSON text of a message that traveled alone, or a list of objects, those of one cast; see
            :func:`cells.messages.parse`
        """
        now = time.monotonic()
        if not isinstance(came, list):
            alone = self._safely(self._read, came, now)
            if alone is not None:
                self._counters.count("received")
                self._safely(self._arrived, alone, now)
            return
        if len(came) > MAX_MESSAGES_OF_CAST:
            self._counters.count("rejected", "MessageTooLarge", times=len(came))
            LOG.warning("A cast of %d messages is refused: %d is the most.", len(came), MAX_MESSAGES_OF_CAST)
            return
        limit = self._limits.max_message_bytes
        relay = Relay(self._cell_name, self._table.snapshot(), self._versions.toward, limit, now)
        found = [self._safely(self._look, one, now, relay) for one in came]
        self._counters.count("received", times=len(found) - found.count(None))
        onward = Onward(self._links, self._not_passed_on, now)
        for one, message in zip(came, found, strict=True):
            if isinstance(message, Transit):
                onward.add(one, message)
            elif message is not None:
                if not message.is_at_target:
                    # What goes on from here must not overtake what came before it.
                    onward.send()
                self._safely(self._arrived, message, now)
        onward.send()

    def _safely(self, work: Callable[..., Found], *arguments: object) -> Found | None:
        """What ``work`` returns: a bug must cost one message, not the manager."""
        try:
            return work(*arguments)
        except Exception:
            self._counters.count("rejected", "Bug")
            LOG.exception("A message could not be handled.")
            return None

    def _look(self, came: object, now: float, relay: Relay) -> Transit | Message | None:
        """What came as one of many; None if it was refused."""
        found = relay.read(came)
        if found is not None:
            return found
        message = self._read(came, now)
        if message is not None:
            relay.learn(came, message)
        return message

    def _arrived(self, message: Message, now: float) -> None:
        if message.trace is not None:
            message = message.noting("received" if message.response_to is None else "answer received", time.time())
        answer = partial(self._reply, message) if message.needs_response else None
        if message.is_late(now):
            self._settle(message, answer, too_late(message, self._counters))
        elif message.is_at_target:
            self._run_here(message, answer)
        else:
            self._advance(message, answer, NO_PATIENCE if answer is None else self._patience(message, now))

    def _not_passed_on(self, came: object, now: float, neighbor: str, error: exceptions.CellsError) -> None:
        message = self._read(came, now)
        if message is not None:
            answer = partial(self._reply, message) if message.needs_response else None
            self._settle(message, answer, Response(str(message.route.child(neighbor)), error=error))

    def _read(self, came: object, now: float) -> Message | None:
        limits = self._limits
        try:
            return parse(came, limits.max_message_bytes, limits.max_hop_count, now).arrived_at(self._cell_name)
        except exceptions.MessageError as raised:
            error = raised
        # Outside the except block: there the log would add the error to its line once more.
        self._counters.count("rejected", type(error).__name__)
        LOG.warning("A message from another cell is refused: %s", error.message)
        salvaged = salvage(came, limits.max_hop_count)
        if salvaged is not None:
            salvaged = salvaged.arrived_at(self._cell_name)
            self._reply(salvaged, [Response(str(salvaged.route), error=error).to_json()])
        return None

    def _patience(self, message: Message, now: float) -> Patience:
        """How long this cell waits for the cells behind it: as long as the message says.

        At version 1.0 it does not say how long its source waits.  All that a relay can
        do then is to give up before the cell that it has the message from.
        """
        growing = Growing(partial(self._pass_on_branch, message))
        if message.deadline is not None:
            return Patience(message.deadline - now, growing=growing)
        depth = min(message.hop_count - 1, message.max_hop_count)
        seconds = self._limits.call_timeout_seconds * (1 - depth / (message.max_hop_count + 1))
        return Patience(seconds, growing=growing)

    def _pass_on_branch(self, message: Message, branch: str, answers: Sequence[str]) -> None:
        """Send on to the source what a neighbor has gathered that cannot do that by itself."""
        self._reply(message, answers, branch=branch)

    def _advance(
        self, message: Message, answer: Answer | None, patience: Patience, on_sent: OnSent | None = None
    ) -> None:
        """Do what has to be done with ``message`` here.

        :param answer: called once, unless the message is passed on and answered from
            there; None if nobody waits
        """
        try:
            plan = message.plan(self._table.snapshot(), self._versions.toward)
            self._carry_out(message, plan, answer, patience, on_sent)
        except exceptions.CellsError as error:
            self._counters.count("failed", type(error).__name__)
            self._settle(message, answer, Response(str(message.route), error=error))

    def _carry_out(
        self, message: Message, plan: Plan, answer: Answer | None, patience: Patience, on_sent: OnSent | None = None
    ) -> None:
        if plan.awaited is not None and answer is not None:
            self._await(message, plan, plan.awaited, answer, patience)
        for hop in plan.hops:
            answer_of_hop = self._answer_of(message, plan, answer, hop.answered_by)
            self._hand_over(hop, answer_of_hop, on_sent, ends_here=hop.answered_by in (plan.awaited or ()))
        if plan.run_here:
            own_answer = self._answer_of(message, plan, answer, HERE)
            if own_answer is not None and plan.streams and plan.hops and self._execution.may_block(message.method):
                # Who waits has to know for whom, even if the endpoint here never ends.
                own_answer(())
            self._run_here(message, own_answer)

    def _run_here(self, message: Message, answer: Answer | None) -> None:
        self._execution.run(
            message,
            partial(self._settle, message, answer),
            _nothing if answer is None else partial(answer, ()),
            only_errors=answer is None,
        )

    def _await(self, message: Message, plan: Plan, parts: Sequence[str], answer: Answer, patience: Patience) -> None:
        self._pending.expect(
            message.id,
            parts,
            patience.seconds,
            # What is streamed has gone its way part by part when all is there.
            _nothing if plan.streams else answer,
            partial(error_replies.silence, message, logging.DEBUG if patience.is_own else logging.INFO),
            is_own=patience.is_own,
            monitor=patience.monitor,
            growing=patience.growing if plan.streams or message.is_at_source else None,
        )

    def _answer_of(self, message: Message, plan: Plan, answer: Answer | None, part: str) -> Answer | None:
        """Where an answer goes that this cell gives itself: its own, or that a neighbor cannot be reached."""
        if answer is None:
            return None
        if part in (plan.awaited or ()):
            return partial(self._pending.add, message.id, part)
        if not plan.streams:
            return answer
        if part == HERE:
            return partial(answer, passed_on_to=[hop.answered_by for hop in plan.hops])
        return partial(answer, branch=part)

    def _hand_over(
        self, hop: Hop, answer: Answer | None, on_sent: OnSent | None = None, *, ends_here: bool = False
    ) -> None:
        """:param ends_here: whether the answers to it are awaited here, whoever gets what this cell makes of them"""
        message, neighbor = hop.message, hop.neighbor
        if self._shortcut.take(hop, partial(self._hand_over, answer=None)):
            return

        def fail(error: exceptions.CellsError) -> None:
            self._settle(message, answer, Response(str(message.route.child(neighbor.name)), error=error))

        try:
            version = message.form or hop.version
            addressed = message.addressed(self._host) if ends_here else message
            self._links.send(neighbor, addressed.sealed(version, self._limits.max_message_bytes), fail, on_sent)
        except (exceptions.MessageError, exceptions.RPCVersionCapError) as error:
            self._counters.count("undelivered", type(error).__name__)
            fail(error)

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
        if message.trace is not None and message.is_at_source and response.error is None:
            # An answer that never traveled has gathered nothing on its way.
            response = replace(response, trace=message.noting("answered", time.time()).trace or ())
        if answer is not None:
            try:
                text = response.to_json()
            except exceptions.MessageError as error:
                text = Response(response.cell, error=error).to_json()
            answer([text])

    def _reply(
        self, message: Message, answers: Sequence[str], *, branch: str = "", passed_on_to: Sequence[str] = ()
    ) -> None:
        """Send ``answers`` back to where ``message`` came from; for the rest see ResponseMessage.answering."""
        answering = partial(ResponseMessage.answering, message, branch=branch, passed_on_to=passed_on_to)
        response = answering(answers)
        too_large = error_replies.excess(message, response, answers, self._limits.max_message_bytes)
        if too_large is not None:
            self._counters.count("failed", "MessageTooLarge")
            response = answering([too_large])
        self._advance(response.noting("answered", time.time()), None, NO_PATIENCE)


def _nothing(_: object = None) -> None:
    """Nobody waits."""
