"""The queues of the managers: as the broker holds them, against the configuration; their consumers and messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import amqp  # type: ignore[import-untyped]  # it has none

from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.messages import MESSAGE_TYPES
from cells.transport import configured_queues, declaring, mailbox
from cells.transport.broker_probe import BrokerProbe
from cells.transport.configured_queues import ConfiguredQueue
from cells.transport.management import HeldQueue, ManagementError

#: So many waiting messages are worth a look: a manager takes thousands a second.
MANY = 1000


class QueueCheck(Check):
    """The queues that all managers of this cell share."""

    name = "queues"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.has_broker:
            return
        for option in case.broker_options():
            with case.broker(option) as (transport, probe):
                queues = queues_of(case, option, transport)
                seen = [counts for queue in queues if (counts := probe.queue(queue.name)) is not None]
                if not seen:
                    # No manager has ever started, which the check of the managers reports.
                    continue
                is_served = any(counts.consumers for counts in seen)
                held = {one.name: one for one in case.held_queues.of(option) or ()}
                default_type = _default_type(case, option) if held else ""
                for queue in queues:
                    yield from _findings(probe, queue, is_served=is_served)
                    known = held.get(queue.name)
                    yield from _refused(probe, queue) if known is None else _differing(queue, known, default_type)


def topics_of(case: Case, option: str) -> list[str]:
    """Return the topics of the managers on the broker that an option names."""
    cells = case.conf.cells
    topics = [cells.topic] if option == mailbox.OWN_OPTION else []
    if option in mailbox.receiving_urls(case.conf):
        topics += [f"{cells.rpc_driver_queue_base}.{kind}" for kind in MESSAGE_TYPES]
    return topics


def queues_of(case: Case, option: str, transport: Any) -> list[ConfiguredQueue]:
    """Return the queues of these topics as the configuration declares them."""
    return [configured_queues.of_topic(transport, topic) for topic in topics_of(case, option)]


def _findings(probe: BrokerProbe, queue: ConfiguredQueue, *, is_served: bool) -> Iterator[Finding]:
    """Yield the findings of one queue.

    :param is_served: whether a manager consumes from any queue; if none does, no manager runs, which is one finding
    """
    counts = probe.queue(queue.name)
    if counts is None:
        yield found("queue_missing", f"The queue {queue.name} of the managers of this cell does not exist.", queue.name)
        return
    evidence = f"{counts.messages} messages wait, {counts.consumers} consumers"
    if not counts.consumers and is_served:
        text = f"No manager takes messages from the queue {queue.name}."
        yield found("queue_without_consumer", text, queue.name, evidence=evidence)
    elif counts.messages >= MANY:
        text = f"{counts.messages} messages wait in the queue {queue.name}."
        yield found("messages_waiting", text, queue.name, evidence=evidence)


def _refused(probe: BrokerProbe, queue: ConfiguredQueue) -> Iterator[Finding]:
    """Yield a finding if the broker refuses the declaration of a queue: AMQP tells only one difference."""
    if probe.queue(queue.name) is None:
        return
    refusal = probe.refusal_of(queue)
    if isinstance(refusal, (amqp.PreconditionFailed, amqp.ResourceLocked)):
        text = declaring.refusal(refusal) or str(refusal)
        yield found("queue_differs", f"{text}.", queue.name, evidence=" ".join(str(refusal).split()))


def _differing(queue: ConfiguredQueue, held: HeldQueue, default_type: str) -> Iterator[Finding]:
    """Yield a finding if a queue differs from its configuration, as the management API shows it."""
    wanted_type = str(queue.arguments.get("x-queue-type", default_type or held.type))
    pairs = [("type", held.type, wanted_type), ("durable", held.durable, queue.durable)]
    pairs.append(("auto_delete", held.auto_delete, queue.auto_delete))
    for key in sorted((set(held.arguments) | set(queue.arguments)) - {"x-queue-type"}):
        pairs.append((key, held.arguments.get(key), queue.arguments.get(key)))
    differences = [
        f"{key} is {there!r:.80}, configured is {wanted!r:.80}" for key, there, wanted in pairs if there != wanted
    ]
    if differences:
        text = f"The queue {queue.name} exists with other properties than this configuration declares"
        yield found("queue_differs", f"{text}: {'; '.join(differences)}.", queue.name, evidence="the management API")


def _default_type(case: Case, option: str) -> str:
    """Return the type of queues that are declared without one; empty: this user may not see it."""
    try:
        return case.held_queues.api().default_queue_type(case.held_queues.virtual_host(option))
    except ManagementError:
        return ""
