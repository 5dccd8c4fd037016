"""Queues of managers of this host that no process reads any more: they keep the messages that still arrive."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.checks.queues import topics_of
from cells.doctor.finding import Finding, found


class OrphanCheck(Check):
    """The queues of single managers, as far as their hosts are known: AMQP does not list queues."""

    name = "orphan queues"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.has_manager():
            return
        hosts = dict.fromkeys((case.conf.host, socket.gethostname(), socket.getfqdn()))
        for option in case.broker_options():
            with case.broker(option) as (_, probe):
                for queue in [f"{topic}.{host}" for topic in topics_of(case, option) for host in hosts]:
                    counts = probe.queue(queue)
                    if counts is not None and not counts.consumers:
                        yield found(
                            "orphan_queue",
                            f"No process reads the queue {queue}: its manager has stopped, or has another host now.",
                            queue,
                            evidence=f"{counts.messages} messages wait",
                        )
