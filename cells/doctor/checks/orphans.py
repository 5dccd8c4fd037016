"""Queues of managers that no process reads any more: they keep the messages that still arrive."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence

from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.checks.queues import topics_of
from cells.doctor.finding import Finding, found
from cells.transport.management import HeldQueue

#: Queues of one virtual host that are looked at.
MAX_QUEUES = 200


class OrphanCheck(Check):
    """The queues of single managers.

    AMQP does not list queues: without the management API, only those of managers on this host are found.
    """

    name = "orphan queues"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.has_manager():
            return
        hosts = dict.fromkeys((case.conf.host, socket.gethostname(), socket.getfqdn()))
        for option in case.broker_options():
            topics = topics_of(case, option)
            names = dict.fromkeys(f"{topic}.{host}" for topic in topics for host in hosts)
            held = case.held_queues.of(option)
            if held is not None:
                names = dict.fromkeys(_of_managers(held, topics, case.conf.cells.rpc_driver_queue_base))
            with case.broker(option) as (_, probe):
                for queue in list(names)[:MAX_QUEUES]:
                    # The counts of the API may be some seconds old.
                    counts = probe.queue(queue)
                    if counts is not None and not counts.consumers:
                        yield found(
                            "orphan_queue",
                            f"No process reads the queue {queue}: its manager has stopped, or has another host or "
                            "virtual host now.",
                            queue,
                            evidence=f"{counts.messages} messages wait",
                        )


def _of_managers(held: Sequence[HeldQueue], topics: Sequence[str], base: str) -> Iterator[str]:
    """Yield the queues without consumers that are those of single managers.

    :param base: of the topics on which neighbors send; if another virtual host receives these, their queues are left
        from before
    """
    left = [f"{base}."] if not any(topic.startswith(f"{base}.") for topic in topics) else []
    for queue in held:
        if queue.consumers or queue.name in topics:
            continue
        # A queue of a fan-out that has no reader expires, unless an operator has removed its expiry.
        fanouts = tuple(f"{topic}_fanout_" for topic in topics)
        if queue.name.startswith(fanouts):
            if queue.setting("expires") is None:
                yield queue.name
        elif _is_of_one(queue.name, topics, base) or queue.name.startswith(tuple(left)):
            yield queue.name


def _is_of_one(name: str, topics: Sequence[str], base: str) -> bool:
    """Return whether a queue is that of one server of a topic."""
    owner = max((topic for topic in topics if name.startswith(f"{topic}.")), key=len, default="")
    # The base itself begins with the topic of the own services: "cells" and "cells.intercell".
    is_below_base = name.startswith(f"{base}.") or name == base
    return bool(owner) and (owner.startswith(f"{base}.") or not is_below_base)
