"""The managers of the cell, asked all at once: the broker gives requests to the consumers in turn."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from oslo_config import cfg

from cells import context
from cells.manager.namesakes import MAX_ASKED
from cells.transport import mailbox
from cells.transport.broker_probe import BrokerProbe

Status = Mapping[str, Any]


class Case(Protocol):
    """The part of a :class:`cells.doctor.case.Case` that these functions read."""

    @property
    def conf(self) -> cfg.ConfigOpts: ...

    @property
    def open_manager(self) -> Callable[[], AbstractContextManager[Any]]: ...

    @property
    def manager(self) -> Callable[[], Any]: ...

    @property
    def consumers(self) -> Callable[[], int | None]: ...

    def broker_options(self) -> list[str]: ...

    def broker(self) -> AbstractContextManager[tuple[Any, BrokerProbe]]: ...


def count_consumers(case: Case) -> int | None:
    """Return the number of managers that consume at the broker; None without RabbitMQ."""
    if mailbox.OWN_OPTION not in case.broker_options():
        return None
    with case.broker() as (_, probe):
        counts = probe.queue(case.conf.cells.topic)
        return 0 if counts is None else counts.consumers


def ask_all(case: Case) -> tuple[list[Status], list[Exception]]:
    """Send a request for each consumer at once; return the statuses, and an error for each request without one."""
    answers: queue.SimpleQueue[Status | Exception] = queue.SimpleQueue()
    consumers = case.consumers()
    count = 1 if consumers is None else min(consumers, MAX_ASKED)

    def ask() -> None:
        try:
            if consumers is None:
                # Without a broker, the end of the block says whether a manager runs at all.
                with case.open_manager() as manager:
                    answers.put(manager.status(context.get_admin_context()))
            else:
                answers.put(case.manager().status(context.get_admin_context()))
        except Exception as error:  # of the libraries, too
            answers.put(error)

    for _ in range(count):
        threading.Thread(target=ask, name="cells-doctor-status", daemon=True).start()
    statuses: list[Status] = []
    errors: list[Exception] = []
    for _ in range(count):
        answer = answers.get()
        if isinstance(answer, Exception):
            errors.append(answer)
        else:
            statuses.append(answer)
    return statuses, errors
