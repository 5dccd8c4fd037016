"""Dead letters: messages that a queue of the own virtual host has rejected, and that wait in another queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.transport.management import HeldQueue, ManagementError

#: Exchanges of dead letters whose bindings are looked up.
MAX_EXCHANGES = 20


class DeadLetterCheck(Check):
    """The queues to which dead letters go, by arguments and policies: only the management API tells them."""

    name = "dead letters"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.has_broker:
            return
        for option in case.broker_options():
            held = case.held_queues.of(option)
            if not held:
                continue
            sources = _sources(case, option, held)
            with case.broker(option) as (_, probe):
                for queue in held:
                    # The count of the API may be some seconds old.
                    counts = probe.queue(queue.name) if queue.name in sources else None
                    if counts is not None and counts.messages:
                        yield found(
                            "dead_letters",
                            f"{counts.messages} dead letters wait in the queue {queue.name}.",
                            queue.name,
                            evidence=f"from {', '.join(sorted(sources[queue.name])[:10])}",
                        )


def _sources(case: Case, option: str, held: Sequence[HeldQueue]) -> dict[str, set[str]]:
    """Return the queues of dead letters, each with the queues that they come from."""
    found_queues: dict[str, set[str]] = {}
    by_exchange: dict[str, set[str]] = {}
    for queue in held:
        exchange, key = queue.setting("dead-letter-exchange"), queue.setting("dead-letter-routing-key")
        if exchange:
            by_exchange.setdefault(str(exchange), set()).add(queue.name)
        elif exchange == "" and key:
            # The default exchange leads to the queue of that name.
            found_queues.setdefault(str(key), set()).add(queue.name)
    for exchange, names in sorted(by_exchange.items())[:MAX_EXCHANGES]:
        try:
            destinations = case.held_queues.api().destinations(case.held_queues.virtual_host(option), exchange)
        except ManagementError:
            continue  # the user may see the queues and not the exchanges
        for destination in destinations:
            found_queues.setdefault(destination, set()).update(names)
    return found_queues
