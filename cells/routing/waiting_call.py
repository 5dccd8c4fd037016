"""One call that waits for answers: the conditions on which it waits, the missing parts, and the answers so far."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from cells.messages import EncodedResponse
from cells.path import SEPARATOR, any_below, below, first_name
from cells.routing.reply import Kind, Reply, Sink

LOG = logging.getLogger(__name__)

NEVER = float("inf")
#: Bound of the cells of one branch that may answer one call, because a neighbor may claim any number of them.
MAX_PARTS = 20_000
#: Bound of the answers of one branch that are kept until the call is complete.
MAX_BRANCH_BYTES = 256 * 1024 * 1024
#: Characters of the longest path to one of these cells.
MAX_PART_LENGTH = 4096


class Substitutes(Protocol):
    """Source of the responses that stand for missing answers."""

    def responses(self, part: str, named: Collection[str], *, is_stopping: bool) -> tuple[EncodedResponse, ...]:
        """Return the responses that stand for the answer of ``part`` and of the known cells beyond.

        :param named: the parts that have answered, or whose answers are missing, too
        :param is_stopping: the call ends because the manager stops, and not at its deadline
        """


@dataclass(frozen=True)
class Monitor:
    """The rule that a call is given up unless WORKING replies keep coming."""

    #: the call is given up after so long without a reply
    silence_seconds: float
    #: called at each WORKING reply; must not block
    on_still_working: Callable[[], object] | None = None


@dataclass(frozen=True)
class Growing:
    """The rule that an answer may name further cells, for which the call then waits."""

    #: takes the reply of each part as it comes, with the part as ``branch``; None: the call's own sink takes all
    #: responses at the end.  The call completes when all calls of ``parts_to`` have returned
    parts_to: Sink | None = None


@dataclass(frozen=True)
class Wait:
    """How long a call waits, and on which conditions."""

    seconds: float
    #: the manager has made the call for itself: a graceful stop does not wait for it
    is_own: bool = False
    #: for the confirmation that a cast was taken, and not for an answer
    is_confirmation: bool = False
    #: the neighbor for which this manager waits; empty: a service of this cell, or the manager itself
    neighbor: str = ""
    #: of the message that the neighbor sent
    size_bytes: int = 0
    #: an endpoint makes the call for a neighbor, whose budget it uses already
    is_budgeted: bool = False
    #: of a broadcast: the way from its source to this cell, below which all answers are; empty: not checked
    route: str = ""

    @property
    def is_foreign(self) -> bool:
        return self.is_budgeted or bool(self.neighbor)

    monitor: Monitor | None = None
    growing: Growing | None = None


@dataclass(slots=True)
class _Branch:
    """The room that one branch of a growing call has used."""

    #: the part that was asked is missing at first
    missing: int = 1
    answered: int = 0
    #: of the answers that are kept
    size_bytes: int = 0

    def has_room(self, size_bytes: int) -> bool:
        return self.answered < MAX_PARTS and self.size_bytes + size_bytes <= MAX_BRANCH_BYTES


class WaitingCall:
    """One waiting call: the parts (neighbors, or this cell) that are missing, and the responses so far."""

    __slots__ = (
        "answered",
        "asked",
        "began_at",
        "branches",
        "deadline",
        "growing",
        "is_confirmation",
        "is_foreign",
        "is_over",
        "is_own",
        "missing",
        "monitor",
        "neighbor",
        "parts_to",
        "replies",
        "route",
        "silent_at",
        "sink",
        "size_bytes",
        "streaming",
        "substitutes",
    )

    def __init__(self, parts: Collection[str], wait: Wait, sink: Sink, substitutes: Substitutes, now: float) -> None:
        self.began_at = now
        self.missing = set(parts)
        self.asked = frozenset(parts)
        self.answered: set[str] = set()
        #: of a growing call, by the part that was asked
        self.branches = {part: _Branch() for part in parts} if wait.growing is not None else {}
        #: the answers that the sink gets at the end
        self.replies: list[Reply] = []
        #: None once the call is forgotten
        self.sink: Sink | None = sink
        self.substitutes = substitutes
        self.route = wait.route
        self.is_own = wait.is_own
        self.is_confirmation = wait.is_confirmation
        self.is_foreign = wait.is_foreign
        self.neighbor = wait.neighbor
        self.size_bytes = wait.size_bytes
        self.deadline = now + wait.seconds
        self.monitor = wait.monitor
        self.growing = wait.growing
        self.parts_to = None if wait.growing is None else wait.growing.parts_to
        self.is_over = False
        #: calls of ``parts_to`` that have not returned yet
        self.streaming = 0
        self.silent_at = NEVER
        self.heard_at(now)

    def heard_at(self, now: float) -> None:
        """Note a sign that a cell still works on the call."""
        if self.monitor is not None:
            self.silent_at = now + self.monitor.silence_seconds

    @property
    def ends_at(self) -> float:
        """Return the time at which the call is given up, as far as is known now."""
        return min(self.deadline, self.silent_at)

    def part_of(self, answering: str, is_same: Callable[[str, str], bool]) -> str | None:
        """Return the part of which an answer is; None if its branch was not asked.

        :param answering: the way to the cell that has answered, without this cell
        :param is_same: returns whether a registered neighbor may have another name for itself
        """
        branch = first_name(answering)
        if self.growing is not None:
            return answering if branch in self.asked and len(answering) <= MAX_PART_LENGTH else None
        if answering in self.asked:
            return answering
        for asked in (any_below(branch), *self.asked):
            # The caller hears, too, of a neighbor that is registered under another name than its own.
            if asked in self.asked and asked.endswith(SEPARATOR) and is_same(first_name(asked), branch):
                return asked
        return None

    def takes(self, part: str, reply: Reply) -> bool:
        """Return whether the answer of ``part`` is new; if so, wait for the cells that the answer names.

        Each branch has room of its own, so that the cells that one neighbor claims displace no cells of others.
        """
        if self.growing is None:
            is_missing = part in self.missing
            self.missing.discard(part)
            return is_missing
        # A cell may answer before the cell that has forwarded the message to it names it.
        branch = self.branches[first_name(part)]
        size_bytes = 0 if self.parts_to is not None else sum([len(response.text) for response in reply.responses])
        if part in self.answered or not branch.has_room(size_bytes):
            return False
        branch.answered += 1
        branch.size_bytes += size_bytes
        self.answered.add(part)
        if part in self.missing:
            self.missing.remove(part)
            branch.missing -= 1
        self.grow(part, reply.passed_on_to)
        return True

    def grow(self, part: str, passed_on_to: Sequence[str]) -> None:
        """Wait for the cells, too, to which ``part`` has forwarded the message."""
        branch = self.branches[first_name(part)]
        for name in passed_on_to[: MAX_PARTS - branch.missing]:
            deeper = below(part, name)
            if deeper not in self.answered and deeper not in self.missing and len(deeper) <= MAX_PART_LENGTH:
                self.missing.add(deeper)
                branch.missing += 1

    def replace_missing(self, *, is_stopping: bool) -> None:
        """Keep or stream a substitute for each missing answer."""
        named = self.missing | self.answered
        for part in sorted(self.missing):
            try:
                responses = self.substitutes.responses(part, named, is_stopping=is_stopping)
                reply = Reply(Kind.ANSWER, responses, branch=part)
            except Exception:  # a bug must not end the thread that watches all deadlines
                LOG.exception("The missing answer of a cell could not be replaced.")
                continue
            if self.parts_to is None:
                self.replies.append(reply)
            else:
                _give(self.parts_to, reply)

    def stream(self, part: str, reply: Reply) -> None:
        """Give the reply of ``part`` to the sink of all parts."""
        if self.parts_to is not None:
            _give(self.parts_to, reply._replace(branch=part))

    def complete(self) -> None:
        """Give the sink the answers, unless the call is forgotten."""
        if self.sink is None:
            return
        if len(self.replies) == 1:
            _give(self.sink, self.replies[0])
        else:
            _give(self.sink, Reply(responses=tuple([one for reply in self.replies for one in reply.responses])))


def _give(sink: Sink, reply: Reply) -> None:
    try:
        sink.take(reply)
    except Exception:  # a bug of a sink must not end the thread that serves all calls
        LOG.exception("The answers to a call could not be passed on.")
