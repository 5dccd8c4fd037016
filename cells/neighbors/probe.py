"""The answers of one neighbor to the pings with which this cell probes the link to it.

The state of a link comes from these answers alone: an announcement may have waited in a queue while its sender died.
"""

from __future__ import annotations

from dataclasses import dataclass

#: A probe without an answer for so long counts as unanswered; its answer still counts when it comes.
GRACE_SECONDS = 5.0


@dataclass
class Probe:
    """Probes of one neighbor.  Times are seconds of the monotonic clock."""

    #: when the first probe since the last answer was sent; None: the last probe is answered, or none was sent
    asked_since: float | None = None
    #: probes since the last answer
    unanswered: int = 0
    answered_at: float | None = None
    #: when the neighbor began to answer, after it had not
    answering_since: float | None = None
    round_trip_seconds: float | None = None
    #: host of the manager that gave the last answer
    answered_by: str = ""
    #: the last error in place of an answer; empty after an answer
    problem: str = ""
    #: the name of another neighbor, as which the cell has answered a probe of this one; empty after an answer
    other_name: str = ""
    #: managers that consume at the neighbor's broker, as counted when a probe was unanswered; None: not known
    receivers: int | None = None

    def ask(self, now: float) -> None:
        """Note a probe that is sent now."""
        self.unanswered += 1
        if self.asked_since is None:
            self.asked_since = now

    def answer(self, now: float, asked_at: float, host: str) -> None:
        """Note the answer to the probe that was sent at ``asked_at``."""
        if self.answering_since is None or self.is_silent(now):
            self.answering_since = now
        self.asked_since, self.unanswered, self.receivers = None, 0, None
        self.problem = self.other_name = ""
        self.answered_at, self.round_trip_seconds, self.answered_by = now, now - asked_at, host

    @property
    def is_active(self) -> bool:
        """Whether the neighbor has ever been probed."""
        return self.asked_since is not None or self.answered_at is not None

    def is_silent(self, now: float) -> bool:
        """Return whether a probe is unanswered."""
        return self.asked_since is not None and now - self.asked_since > GRACE_SECONDS

    def overdue(self, now: float) -> int:
        """Return the number of probes since the last answer; 0 while the first of them may still be answered."""
        return self.unanswered if self.is_silent(now) else 0

    def silent_seconds(self, now: float) -> float:
        """Return for how long the neighbor has not answered; 0 if it answers."""
        if self.asked_since is None or not self.is_silent(now):
            return 0.0
        return now - (self.asked_since if self.answered_at is None else self.answered_at)

    def since_seconds(self, now: float) -> float | None:
        """Return for how long the neighbor answers, or does not answer; None if that is not known."""
        if self.is_silent(now):
            return self.silent_seconds(now)
        return None if self.answering_since is None else now - self.answering_since
