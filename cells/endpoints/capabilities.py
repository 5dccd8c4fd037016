"""Endpoints for capabilities: children announce them to their parents."""

from __future__ import annotations

from cells import exceptions
from cells.endpoints.base import Call, endpoint


@endpoint(blocks=False)
def announce_capabilities(call: Call) -> None:
    """Announce the capabilities of this cell: a parent has started, or has learned its place in the tree."""
    call.cell.answer_announcement(call.sender)


@endpoint(blocks=False)
def update_capabilities(call: Call, cell_name: str, capabilities: dict[str, list[str]]) -> None:
    """Record the capabilities of a child and the cells below it: name -> list of values."""
    if not isinstance(capabilities, dict) or not all(isinstance(values, list) for values in capabilities.values()):
        raise exceptions.InvalidArguments(
            f"'capabilities' of {cell_name!r:.80} must map names to lists of values.", method=call.method
        )
    call.cell.record_capabilities(call.told_by(cell_name), capabilities)
