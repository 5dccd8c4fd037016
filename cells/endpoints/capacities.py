"""Endpoints for capacities: children report them to their parents."""

from __future__ import annotations

from typing import Any

from cells import exceptions
from cells.endpoints.base import Call, endpoint


@endpoint(blocks=False)
def announce_capacities(call: Call) -> None:
    """Report the capacities of this cell: a parent has started."""
    call.cell.send_capacities()


@endpoint(blocks=False)
def update_capacities(call: Call, cell_name: str, capacities: dict[str, Any]) -> None:
    """Record the capacities of a child and the cells below it: nested objects of numbers."""
    if not isinstance(capacities, dict):
        raise exceptions.InvalidArguments(f"'capacities' of {cell_name!r:.80} must be an object.", method=call.method)
    call.cell.record_capacities(call.told_by(cell_name), capacities)
