"""The links to the neighbors: as the manager reports them, a ping of each cell now, and the brokers of the rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import amqp  # type: ignore[import-untyped]  # it has none

from cells import exceptions, versions
from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.doctor.links import BrokerSeen, LinkFacts, findings_of
from cells.doctor.side_by_side import SideBySide
from cells.messages import REQUEST_TYPES
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from cells.transport import link_options, rabbitmq
from cells.transport import url as transport_url
from cells.transport.broker_probe import QueueCounts
from cells.transport.rabbitmq import BrokerUnusableError


class NeighborCheck(Check):
    """Each neighbor in the database, or in the report of the manager."""

    name = "neighbors"

    def run(self, case: Case) -> Iterable[Finding]:
        deadline = time.monotonic() + case.timeout_seconds
        rows = [row for row in case.rows if transport_url.is_rabbitmq(row.transport_url)]
        brokers = SideBySide(rows, lambda row: look_at(case, row))
        reports: dict[str, Mapping[str, Any]] = {}
        errors: dict[str, Exception | None] = {}
        has_manager = case.has_manager()
        if has_manager:
            reports = {str(row["name"]): row for row in case.neighbors()}
            errors = {
                name: error for name, error in _errors(case).items() if not _is_gathered(reports.get(name), error)
            }
        answers, missing = brokers.wait(deadline)
        seen = {row.name: broker for row, broker in answers if broker is not None}
        own = case.path
        for name in sorted({row.name for row in case.rows} | set(reports)):
            facts = LinkFacts(
                name=name,
                cell=own,
                report=reports.get(name),
                broker=seen.get(name),
                is_pinged=name in errors,
                ping_error=errors.get(name),
            )
            yield from findings_of(facts)
        if missing:
            text = f"{missing} brokers of neighbors were not asked in {case.timeout_seconds:g} s."
            yield found("check_unfinished", text, self.name)


def _errors(case: Case) -> dict[str, Exception | None]:
    """Return the error of each neighbor in place of an answer to a ping now, None for an answer, by name."""
    errors: dict[str, Exception | None] = {}
    for answer in case.pings().answers:
        try:
            route = list(CellPath.parse(answer.cell))
        except exceptions.MalformedMessage:
            continue
        if len(route) == 2 and not isinstance(answer.error, exceptions.DuplicateMessageError):
            # A cell of Nova has no ping, and this error is an answer, too.
            answered = isinstance(answer.error, (exceptions.UnknownMethod, exceptions.RemoteError))
            errors[route[1]] = None if answered else answer.error
    return errors


def _is_gathered(report: Mapping[str, Any] | None, error: Exception | None) -> bool:
    """Return whether a cell behind the neighbor may cause the timeout.

    A neighbor below 1.2 answers a broadcast after all cells behind it have answered.  One silent cell there takes the
    whole time, and the probes of the manager tell whether the neighbor itself answers.
    """
    if report is None or report.get("state") != "up" or not isinstance(error, exceptions.CellTimeout):
        return False
    version = report.get("version")
    return isinstance(version, str) and not versions.speaks(version, versions.STREAMED_ANSWERS)


def look_at(case: Case, row: Neighbor) -> BrokerSeen | None:
    """Return the broker of a neighbor as its row reaches it; None: its URL cannot be used here."""
    exchange = link_options.exchange_of(row.transport_url) or case.conf.control_exchange
    topics = [f"{case.conf.cells.rpc_driver_queue_base}.{kind}" for kind in sorted(REQUEST_TYPES)]
    try:
        with case.broker_of(row) as probe:
            has_exchange = probe.has_exchange(exchange)
            queues = [(topic, probe.queue(topic)) for topic in topics]
            may_write = not has_exchange or probe.may_write(exchange, case.conf.cells.rpc_driver_queue_base)
    except BrokerUnusableError as error:
        return BrokerSeen(reason=error.reason, text=str(error))
    except exceptions.CellsError:
        return None
    except (OSError, amqp.AMQPError) as error:
        return BrokerSeen(reason=rabbitmq.SILENT, text=f"The broker of {row.name} does not answer: {error}")
    # The queue that shows the most: one that does not exist, has no consumer, or has the most messages.
    queue_name, counts = min(queues, key=_worth)
    return BrokerSeen("", "", exchange, has_exchange, may_write, queue_name, counts)


def _worth(named: tuple[str, QueueCounts | None]) -> tuple[int, int]:
    counts = named[1]
    return (-1, 0) if counts is None else (min(counts.consumers, 1), -counts.messages)
