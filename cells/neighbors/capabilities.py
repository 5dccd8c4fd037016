"""Capabilities and capacities as pure functions.

They parse the option ``[cells] capabilities``, unite capabilities, add capacities, and keep both within bounds: a child
within its own, and all cells of a subtree within the bounds of their report, of which each child has its share.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cells import exceptions
from cells.neighbors.fair_share import Bounds, kept_items
from cells.path import MAX_NAME_LENGTH

Capabilities = dict[str, list[str]]
Capacities = dict[str, Any]

#: Bounds of the capacities that a neighbor announces: far above any deployment, and far below an overflow of the sum.
MAX_NUMBER = 2**63
MAX_DEPTH = 50
#: Bounds of the capabilities, and of the capacities, of one child, and of a whole subtree.  One such report is a small
#: message.
BOUNDS = Bounds(items=10_000, size_bytes=256 * 1024)
#: JSON punctuation around one item.
PUNCTUATION_BYTES = 4

#: keys of a nested mapping, from the outermost, down to one value
Keys = tuple[str, ...]


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


def union(many: Iterable[Mapping[str, Iterable[Any]]]) -> Capabilities:
    """Return the union of the values of each name, within BOUNDS."""
    contributions = [_sizes_of_capabilities(capabilities) for capabilities in many]
    merged: dict[str, list[str]] = {}
    for name, *values in sorted(kept_items(contributions, BOUNDS)):
        merged.setdefault(name, []).extend(values)
    return merged


def bounded_capabilities(claimed: Mapping[str, Iterable[Any]]) -> tuple[Capabilities, int]:
    """Return the capabilities of one child within BOUNDS, and the number of names and values that are left out."""
    kept = union([claimed])
    return kept, _count_values(claimed) - _count_values(kept)


def _sizes_of_capabilities(capabilities: Mapping[str, Iterable[Any]]) -> dict[Keys, int]:
    """Return each name, and each name with one of its values, with its length in JSON."""
    sizes: dict[Keys, int] = {}
    for name, values in capabilities.items():
        if not _is_short(name):
            continue
        sizes[name,] = _size_of(name)
        for value in values:
            if not _is_nested(value) and _is_short(str(value)):
                sizes[name, str(value)] = _size_of(str(value))
    return sizes


def total(many: Iterable[Mapping[str, Any]]) -> Capacities:
    """Return the sum of nested mappings of numbers, key by key, within BOUNDS.

    Values that are no finite numbers of at least 0, and mappings nested deeper than MAX_DEPTH, are left out, so that
    a wrong report of one child does not spoil the sum of the others.
    """
    reports = list(many)
    kept = kept_items([dict(_sizes_of_capacities(report, ())) for report in reports], BOUNDS)
    return _total([_only(report, kept, ()) for report in reports])


def bounded_capacities(claimed: Mapping[str, Any]) -> tuple[Capacities, int]:
    """Return the capacities of one child within BOUNDS, and the number of keys that are left out."""
    kept = total([claimed])
    return kept, _count_keys(claimed) - _count_keys(kept)


def _sizes_of_capacities(report: Mapping[str, Any], above: Keys) -> Iterator[tuple[Keys, int]]:
    """Yield the keys that lead to each number, and to each mapping, with the length of the last key and number."""
    for name, value in report.items():
        keys = (*above, name)
        if not _is_short(name) or len(keys) > MAX_DEPTH:
            continue
        if isinstance(value, Mapping):
            yield keys, _size_of(name)
            yield from _sizes_of_capacities(value, keys)
        elif _is_countable(value):
            yield keys, _size_of(name) + len(str(value))


def _only(report: Mapping[str, Any], kept: set[Keys], above: Keys) -> Capacities:
    """Return the part of a report that is in ``kept``."""
    found: Capacities = {}
    for name, value in report.items():
        keys = (*above, name)
        if keys in kept:
            if isinstance(value, Mapping):
                found[name] = _only(value, kept, keys)
            elif _is_countable(value):
                found[name] = value
    return found


def _total(many: Sequence[Mapping[str, Any]]) -> Capacities:
    values: dict[str, list[Any]] = {}
    for capacities in many:
        for name, value in capacities.items():
            values.setdefault(name, []).append(value)
    added: Capacities = {}
    for name, found in values.items():
        nested = [value for value in found if isinstance(value, Mapping)]
        # The form that most cells report: one child must not hide the reports of its siblings.
        if 2 * len(nested) >= len(found):
            added[name] = _total(nested)
        else:
            # The next cell would leave out a larger sum, and with it the capacity of the whole subtree.
            added[name] = min(sum([value for value in found if not isinstance(value, Mapping)]), MAX_NUMBER)
    return added


def _count_values(capabilities: Mapping[str, Iterable[Any]]) -> int:
    """Return the number of names, and of different values; values that are no scalars count as one."""
    return sum(1 + len({None if _is_nested(one) else str(one) for one in values}) for values in capabilities.values())


def _count_keys(report: Mapping[str, Any]) -> int:
    count, waiting = 0, [report]
    while waiting:
        for value in waiting.pop().values():
            count += 1
            if isinstance(value, Mapping):
                waiting.append(value)
    return count


def _is_countable(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value <= MAX_NUMBER


def _is_nested(value: object) -> bool:
    return isinstance(value, (list, dict))


def _is_short(text: object) -> bool:
    return isinstance(text, str) and len(text) <= MAX_NAME_LENGTH


def _size_of(text: str) -> int:
    return len(json.dumps(text)) + PUNCTUATION_BYTES
