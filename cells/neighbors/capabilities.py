"""Capabilities and capacities as pure functions.

They parse the option ``[cells] capabilities``, unite capabilities and add capacities.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cells import exceptions

Capabilities = dict[str, list[str]]
Capacities = dict[str, Any]

#: Bounds of the capacities that a neighbor announces: far above any deployment, and far below an overflow of the sum.
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
    """Return the union of the values of each name."""
    merged: dict[str, set[str]] = {}
    for capabilities in many:
        for name, values in capabilities.items():
            merged.setdefault(name, set()).update(str(value) for value in values)
    return {name: sorted(values) for name, values in sorted(merged.items())}


def total(many: Iterable[Mapping[str, Any]]) -> Capacities:
    """Return the sum of nested mappings of numbers, key by key.

    Values that are not finite numbers, and mappings nested deeper than MAX_DEPTH, are left out, so that a wrong
    report of one child does not spoil the sum of the others.
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
            # The next cell would leave out a larger sum, and with it the capacity of the whole subtree.
            added[name] = max(-MAX_NUMBER, min(sum(numbers), MAX_NUMBER))
    return added


def _is_countable(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= MAX_NUMBER
