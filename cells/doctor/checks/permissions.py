"""The permissions of this cell's user on its own broker, and whether the broker takes messages now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import amqp  # type: ignore[import-untyped]  # it has none

from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.checks.queues import queues_of
from cells.doctor.finding import Finding, found
from cells.transport import mailbox, url
from cells.transport.broker_probe import CONFIGURE, READ, WRITE, BrokerProbe
from cells.transport.configured_queues import ConfiguredQueue

#: start of the names of the queues on which clients get replies
REPLIES = "reply_"


class PermissionCheck(Check):
    """The three permissions of RabbitMQ, each on the names that a manager and the services of the cell need."""

    name = "permissions"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.has_broker:
            return
        for option in case.broker_options():
            with case.broker(option) as (transport, probe):
                yield from _findings(case, option, transport, probe)

    def overdue(self, case: Case) -> Finding:
        text = f"The broker of this cell has taken no message within {case.timeout_seconds:g} s."
        return found("broker_blocked", text)


def _findings(case: Case, option: str, transport: Any, probe: BrokerProbe) -> Iterator[Finding]:
    is_own = option == mailbox.OWN_OPTION
    exchange = (case.conf.cells.exchange if is_own else None) or case.conf.control_exchange
    queues = queues_of(case, option, transport)
    missing: list[tuple[str, str]] = []
    if is_own and not probe.may_create(REPLIES):
        missing.append((CONFIGURE, f"the queues {REPLIES}*"))
    for queue in queues:
        missing += _of_queue(probe, queue)
    missing += _of_exchange(probe, exchange, queues)
    if missing:
        yield _finding(case, option, missing)
    if probe.blocked:
        text = f"The broker of {option} takes no messages: {probe.blocked}."
        yield found("broker_blocked", text, option, evidence="it sent connection.blocked")


def _of_queue(probe: BrokerProbe, queue: ConfiguredQueue) -> Iterator[tuple[str, str]]:
    counts = probe.queue(queue.name)
    if counts is None:
        return
    if isinstance(probe.refusal_of(queue), amqp.AccessRefused):
        yield CONFIGURE, f"the queue {queue.name}"
    # A message that waits belongs to a manager.
    if not counts.messages and not probe.may_read(queue.name):
        yield READ, f"the queue {queue.name}"


def _of_exchange(probe: BrokerProbe, exchange: str, queues: list[ConfiguredQueue]) -> Iterator[tuple[str, str]]:
    """Yield the permissions that lack on an exchange; if there is none, no manager has ever started."""
    if not probe.has_exchange(exchange):
        return
    durable, auto_delete = queues[0].durable, queues[0].auto_delete
    if not probe.may_declare(exchange, durable=durable, auto_delete=auto_delete):
        yield CONFIGURE, f"the exchange {exchange}"
    # Last: a broker that blocks publishers answers nothing more on this connection.
    if not probe.may_write(exchange, queues[0].name):
        yield WRITE, f"the exchange {exchange}"


def _finding(case: Case, option: str, missing: list[tuple[str, str]]) -> Finding:
    address = mailbox.receiving_urls(case.conf).get(option) or case.conf.transport_url
    parsed = url.parse(address)
    user = (parsed.hosts[0].username if parsed.hosts else None) or "guest"
    lacking = "; ".join(f"{permission} for {name}" for permission, name in missing)
    host = parsed.virtual_host or "/"
    return found(
        "permission_missing",
        f"User {user} lacks a permission in the virtual host {host}: {lacking}.",
        user,
        evidence="the broker refused it with 403",
        remedy=f'rabbitmqctl set_permissions -p {host} {user} ".*" ".*" ".*", or narrower: see the page brokers',
    )
