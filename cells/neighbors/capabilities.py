"""Capabilities and capacities: what cells tell their parents, and how it adds up.

Pure: the union of capabilities, the sum of capacities, and what an operator
writes into ``[cells] capabilities``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cells import exceptions

Capabilities = dict[str, list[str]]
Capacities = dict[str, Any]

#: Bounds for what a neighbor may claim: far beyond any deployment, and far from where sums overflow.
MAX_NUMBER = 2**63
MAX_DEPTH = 50


def parse_capabilities(items: Iterable[str]) -> Capabilities:
    """Read ``["hypervisor=xenserver;kvm", "os=linux"]``.

    :raises cells.exceptions.ConfigurationError: an item is not ``name=value;value``
    """
    capabilities: Capabilities = {}
    for item in items:
        name, separator, values = item.partition("=")
        if not separator or not name.strip() or not values.strip():
            raise exceptions.ConfigurationError(
                f"[cells] capabilities has {item!r}: each item must look like name=value or name=value1;value2."
            )
        capabilities[name.strip()] = sorted({value.strip() for value in values.split(";") if value.strip()})
    return capabilities


def union(many: Iterable[Mapping[str, Iterable[str]]]) -> Capabilities:
    """All values of each name."""
    merged: dict[str, set[str]] = {}
    for capabilities in many:
        for name, values in capabilities.items():
            merged.setdefault(name, set()).update(str(value) for value in values)
    return {name: sorted(values) for name, values in sorted(merged.items())}


def total(many: Iterable[Mapping[str, Any]]) -> Capacities:
    """The sum of nested mappings of numbers, key by key.

    What is no finite number, or nested deeper than any honest report, is left out:
    one odd child must not spoil what all the others tell.
    """
    return _total(list(many), depth=0)


def _total(many: list[Mapping[str, Any]], depth: int) -> Capacities:
    if depth > MAX_DEPTH:
        return {}
    values: dict[str, list[Any]] = {}
    for capacities in many:
        for name, value in capacities.items():
            values.setdefault(name, []).append(value)
    added: Capacities = {}
    for name, found in values.items():
        numbers = [number for number in found if _is_countable(number)]
        nested = [mapping for mapping in found if isinstance(mapping, Mapping)]
        if nested:
            added[name] = _total(nested, depth + 1)
        elif numbers:
            # A sum beyond that would be left out by the next cell, with all that is below this one.
            added[name] = max(-MAX_NUMBER, min(sum(numbers), MAX_NUMBER))
    return added


def _is_countable(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= MAX_NUMBER


class Reports:
    """The capacities that services of this cell have reported.  Thread-safe.

    Each reporter's latest numbers count until they are older than the bound.
    """

    def __init__(self, max_age_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._reports: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def record(self, reporter: str, capacities: Mapping[str, Any]) -> None:
        with self._lock:
            self._reports[reporter] = (self._clock(), capacities)

    def current(self) -> list[Mapping[str, Any]]:
        with self._lock:
            oldest = self._clock() - self._max_age_seconds
            self._reports = {name: report for name, report in self._reports.items() if report[0] >= oldest}
            return [capacities for _, capacities in self._reports.values()]
