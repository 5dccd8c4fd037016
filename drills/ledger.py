"""Ledger: the losses of messages without an answer that the managers have counted and logged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cells import conf as cells_conf
from cells.context import get_admin_context
from cells.exceptions import CellsError
from cells.rpcapi import CellsAPI
from cells.transport import open_transport
from tools.manager_process import ManagerProcess
from tools.polling import poll

#: Kinds of messages without an answer.  The sender of another message learns of its loss by a timeout.
#: ``received`` are casts that a manager has read and not looked at yet.
KINDS = ("cast", "service_cast", "broadcast_cast", "received")
READ_TIMEOUT_SECONDS = 60.0
_LOGGED = re.compile(r"(\d+) (?:lost|may have arrived|messages that it had accepted)")


@dataclass(frozen=True)
class Counts:
    """Numbers of messages.

    :param in_flight: accepted, and neither passed on nor given up
    """

    lost: int = 0
    may_have_arrived: int = 0
    in_flight: int = 0

    def __add__(self, other: Counts) -> Counts:
        return self._combined(other, int.__add__)

    def __sub__(self, other: Counts) -> Counts:
        return self._combined(other, int.__sub__)

    def _combined(self, other: Counts, combine: Callable[[int, int], int]) -> Counts:
        return Counts(
            combine(self.lost, other.lost),
            combine(self.may_have_arrived, other.may_have_arrived),
            combine(self.in_flight, other.in_flight),
        )


def read(managers: Iterable[ManagerProcess]) -> dict[str, Counts]:
    """Return the counts of each manager, by host."""
    by_cell: dict[str, list[ManagerProcess]] = {}
    for manager in managers:
        by_cell.setdefault(manager.name, []).append(manager)
    return {host: counts for together in by_cell.values() for host, counts in _read_cell(together).items()}


def _read_cell(managers: list[ManagerProcess]) -> dict[str, Counts]:
    """Ask until each manager of the cell has answered, as any of them takes a request."""
    transport = open_transport(cells_conf.load([managers[0].config_file]), None, ["cells.exceptions"])
    api, context = CellsAPI(transport, timeout=5), get_admin_context()
    found: dict[str, Counts] = {}

    def is_complete() -> bool:
        try:
            status = api.status(context)
        except CellsError:
            return False
        found[status["host"]] = counts_of(status)
        return len(found) == len(managers)

    try:
        poll(is_complete, f"{len(managers)} managers answer", READ_TIMEOUT_SECONDS)
    finally:
        transport.cleanup()
    return found


def counts_of(status: dict[str, Any]) -> Counts:
    """Return the counts in a status, whose keys look like ``east.cast.NeighborUnreachable.lost``."""
    numbers = dict.fromkeys(("lost", "may_have_arrived", "in_flight"), 0)
    for key, count in status.get("losses", {}).items():
        _cell, kind, *_reason, name = key.split(".")
        if kind in KINDS and name in numbers:
            numbers[name] += count
    return Counts(**numbers)


def logged(log: str) -> int:
    """Return how many lost messages the WARNINGs of a log tell; a loss can be told twice."""
    warnings = [line for line in log.splitlines() if " WARNING cells.links.losses " in line]
    # The details of a summary, in parentheses, repeat its numbers.
    return sum(int(number) for line in warnings for number in _LOGGED.findall(line.partition(" (")[0]))
