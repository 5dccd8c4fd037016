"""What the cells below can do, told upward."""

from __future__ import annotations

from cells import exceptions
from cells.endpoints.base import Call, endpoint


@endpoint(blocks=False)
def announce_capabilities(call: Call) -> None:
    """A parent has started, or knows its place in the tree by now, and wants to know ours."""
    call.cell.answer_announcement(call.sender)


@endpoint(blocks=False)
def update_capabilities(call: Call, cell_name: str, capabilities: dict[str, list[str]]) -> None:
    """A child tells what it and the cells below it can do: name -> list of values."""
    if not isinstance(capabilities, dict) or not all(isinstance(values, list) for values in capabilities.values()):
        raise exceptions.InvalidArguments(
            f"'capabilities' of {cell_name!r:.80} must map names to lists of values.", method=call.method
        )
    call.cell.record_capabilities(call.told_by(cell_name), capabilities)
