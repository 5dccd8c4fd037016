"""Endpoints about a cell itself."""

from __future__ import annotations

from typing import Any

from cells.endpoints.base import OWN_CELL, PARENTS, Call, endpoint


@endpoint(blocks=False)
def ping(call: Call) -> dict[str, Any]:
    """Return the name, path from the top, host, versions and subtree of the cell: it is alive."""
    return call.cell.answer_ping(call.sender)


@endpoint(blocks=False)
def links(call: Call) -> dict[str, Any]:
    """Return the API version that this cell reads, and the version toward each neighbor with the reason."""
    return call.cell.links()


@endpoint(blocks=False, callers=(OWN_CELL,))
def services(call: Call) -> dict[str, Any]:
    """Return the services that other cells may use, and how often each caller used each one through this manager."""
    return call.cell.service_usage()


@endpoint(blocks=False, callers=(OWN_CELL, PARENTS))
def doctor(call: Call) -> dict[str, Any]:
    """Return the problems that this manager sees: of its links, and of the source of its neighbors."""
    return call.cell.examine()
