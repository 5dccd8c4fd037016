"""The division of a bounded report among its contributors, so that one contributor cannot crowd out the others.

A cell sends its parents one report about itself and all cells below it.  The report is bounded, and each child
contributes items to it.  If all items together exceed the bounds, small contributors keep all of their items, and large
ones share the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

Item = TypeVar("Item", bound=tuple[Any, ...])


class Bounds(NamedTuple):
    """Bounds of one report."""

    items: int
    size_bytes: int


def kept_items(contributions: Sequence[Mapping[Item, int]], bounds: Bounds) -> set[Item]:
    """Return the items that fit into ``bounds``.

    :param contributions: for each contributor, its items with their sizes in bytes; equal items count once
    """
    merged = {item: size for contribution in contributions for item, size in contribution.items()}
    if _fit(merged, bounds):
        return set(merged)
    kept: set[Item] = set()
    items_left, bytes_left = bounds
    for place, contribution in enumerate(sorted(contributions, key=lambda one: sum(one.values()))):
        sharers = len(contributions) - place
        item_share, byte_share = items_left // sharers, bytes_left // sharers
        # Sorted, so that each report leaves out the same items.
        for item in sorted(contribution):
            size = contribution[item]
            if item in kept or not item_share or size > byte_share:
                continue
            kept.add(item)
            item_share, byte_share = item_share - 1, byte_share - size
            items_left, bytes_left = items_left - 1, bytes_left - size
    return kept


def _fit(items: Mapping[Any, int], bounds: Bounds) -> bool:
    return len(items) <= bounds.items and sum(items.values()) <= bounds.size_bytes
