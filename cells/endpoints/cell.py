"""Endpoints about a cell itself."""

from __future__ import annotations

from typing import Any

from cells.endpoints.base import Call, endpoint


@endpoint(blocks=False)
def ping(call: Call) -> dict[str, Any]:
    """Show that the cell is there: its name, path from the top, host, versions and subtree."""
    return call.cell.describe()


@endpoint(blocks=False)
def links(call: Call) -> dict[str, Any]:
    """Tell which version of the inter-cell API the cell reads, what it speaks with its neighbors, and why."""
    return call.cell.links()
