"""The findings of one link, from all that is known of it.  Pure.

At most one finding says why the link does not work: the one that names the cause, or else the one that the manager
reports, or else that a ping had no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cells import exceptions, failure
from cells.doctor.catalog import KINDS
from cells.doctor.finding import Finding, found
from cells.transport import rabbitmq
from cells.transport.broker_probe import QueueCounts


@dataclass(frozen=True)
class BrokerSeen:
    """The broker of a neighbor, as this command has found it with the URL of the row."""

    #: why it accepts no login, as in :class:`cells.transport.rabbitmq.BrokerUnusableError`; empty: it accepts it
    reason: str = ""
    text: str = ""
    #: the exchange of the neighbor's managers
    exchange: str = ""
    has_exchange: bool = True
    may_write: bool = True
    queue: str = ""
    #: None: the queue of the neighbor's managers does not exist
    counts: QueueCounts | None = None


@dataclass(frozen=True, kw_only=True)
class LinkFacts:
    """All that is known of one link."""

    name: str
    #: path of the cell that has the link
    cell: str = ""
    #: the object of :mod:`cells.manager.neighbor_report`; None: no manager reports
    report: Mapping[str, Any] | None = None
    #: None: the broker was not asked
    broker: BrokerSeen | None = None
    #: whether the neighbor was pinged now
    is_pinged: bool = False
    #: in place of an answer to that ping
    ping_error: Exception | None = None

    @property
    def answers(self) -> bool:
        """Whether the neighbor has answered a ping now."""
        return self.is_pinged and self.ping_error is None

    @property
    def problem_name(self) -> str:
        """The kind of the problem that the manager reports; empty: none."""
        report = self.report or {}
        if not report.get("problem"):
            return ""
        # A manager of another release may know further names.
        name = report.get("problem_name")
        return name if name in KINDS else "neighbor_silent"


def findings_of(link: LinkFacts) -> Iterator[Finding]:
    """Yield the findings of a link, the one that breaks it first."""
    main = _cause(link) or _reported(link) or _no_answer(link)
    if main is not None:
        yield main
    report = link.report or {}
    if report.get("can_be_raised"):
        text = (
            f"The link to {link.name} speaks {report.get('spoken')}, and {link.name} reads {report.get('version')}: "
            f"{report.get('held_by') or 'a cap holds it'}."
        )
        yield _found(link, "cap_too_low", text)
    lost = report.get("lost")
    if lost:
        text = f"{lost} messages to {link.name} were lost without an error for their sender."
        yield _found(link, "messages_lost", text, evidence=_losses(report))


def _cause(link: LinkFacts) -> Finding | None:
    """Return the cause that the broker of the neighbor shows."""
    broker = link.broker
    if broker is None:
        return None
    if broker.reason in (rabbitmq.LOGIN, rabbitmq.VIRTUAL_HOST):
        return _found(link, "neighbor_login", f"{broker.text}.")
    if link.answers:
        return None
    if broker.reason:
        return _found(link, "neighbor_broker", f"{broker.text}.")
    if not broker.has_exchange:
        text = f"The broker of {link.name} has no exchange {broker.exchange}, to which this cell sends."
        return _found(link, "wrong_exchange", text)
    if not broker.may_write:
        text = f"The user in the row of {link.name} may not write to the exchange {broker.exchange} of its broker."
        return _found(link, "neighbor_permission", text)
    if isinstance(link.ping_error, exceptions.MessageRefused) and broker.counts and broker.counts.messages:
        return _found(link, "queue_full", f"The queue {broker.queue} of {link.name} is full: {link.ping_error}")
    if not broker.counts or not broker.counts.consumers:
        text = f"No manager of {link.name} runs: the queue {broker.queue} on its broker has no consumer."
        if broker.counts is None:
            text = (
                f"No manager of {link.name} has run, or it has another [cells] rpc_driver_queue_base: its broker has "
                f"no queue {broker.queue}."
            )
        return _found(link, "neighbor_manager_down", text)
    return None


def _reported(link: LinkFacts) -> Finding | None:
    """Return the problem that the manager of this cell reports."""
    report = link.report
    if report is None:
        return None
    if link.problem_name:
        is_old = link.answers and report.get("state") in ("silent", "mute", "unreachable", "reconnecting")
        return None if is_old else _found(link, link.problem_name, str(report["problem"]))
    if report.get("state") == "unknown" and not link.answers and link.ping_error is None:
        return _found(link, "neighbor_unknown", f"{link.name} has not been probed yet.")
    return None


def _no_answer(link: LinkFacts) -> Finding | None:
    if link.ping_error is None:
        return None
    text = " ".join(str(link.ping_error).split())
    if isinstance(link.ping_error, exceptions.DeliveryError):
        return _found(link, "neighbor_broker", text)
    if link.broker is not None and link.broker.counts is not None:
        text = (
            f"A manager of {link.name} is connected to its broker, and does not answer: it hangs, or this cell is not "
            "registered there."
        )
        return _found(link, "neighbor_hangs", text)
    return _found(link, "neighbor_silent", f"{link.name} does not answer a ping: {text}")


def _found(link: LinkFacts, name: str, text: str, evidence: str = "") -> Finding:
    report = link.report or {}
    return found(
        name,
        text,
        link.name,
        cell=link.cell,
        evidence=evidence or _evidence(link),
        since_seconds=_since(link),
        seen_by=str(report.get("seen_by") or ""),
    )


def _since(link: LinkFacts) -> float | None:
    """Return for how long the link has been as it is."""
    report = link.report or {}
    # The state may be older than a failure that only this command has seen.
    is_new = report.get("state") == "up" and link.ping_error is not None
    seconds: float | None = report.get("last_seen_seconds" if is_new else "since_seconds")
    return seconds


def _evidence(link: LinkFacts) -> str:
    """Return the facts in one line."""
    report, broker = link.report or {}, link.broker
    facts = []
    if report.get("state"):
        facts.append(f"state {report['state']}")
    if report.get("unanswered"):
        facts.append(f"{report['unanswered']} probes unanswered")
    if report.get("last_seen_seconds") is not None:
        by = f" by {report['answered_by']}" if report.get("answered_by") else ""
        facts.append(f"last answer {report['last_seen_seconds']:.0f} s ago{by}")
    if link.is_pinged:
        failed = link.ping_error and failure.name_of(link.ping_error)
        facts.append(f"a ping now ended with {failed}" if failed else "a ping now was answered")
    if broker is not None:
        facts.append(_seen(broker))
    return "; ".join(facts)


def _seen(broker: BrokerSeen) -> str:
    if broker.reason:
        return f"its broker: {broker.reason}"
    if broker.counts is None:
        return "its broker accepts the login"
    return f"its broker accepts the login, {broker.counts.consumers} consumers, {broker.counts.messages} messages wait"


def _losses(report: Mapping[str, Any]) -> str:
    losses = report.get("losses") or ()
    return "; ".join(f"{loss.get('kind')} ({loss.get('reason')}): {loss.get('lost')} lost" for loss in losses)
