"""Endpoints about a cell itself."""

from __future__ import annotations

from typing import Any

from cells.endpoints.base import Call, endpoint


@endpoint(blocks=False)
def ping(call: Call) -> dict[str, Any]:
    """Return the name, path from the top, host, versions and subtree of the cell: it is alive."""
    return call.cell.answer_ping(call.sender)


@endpoint(blocks=False)
def links(call: Call) -> dict[str, Any]:
    """Return the API version that this cell reads, and the version toward each neighbor with the reason."""
    return call.cell.links()
