"""The identity of a manager: the name of its cell, and the constants that it tells others."""

from __future__ import annotations

import os
from importlib import metadata
from typing import Any

from cells import exceptions, path, versions


def check_name(name: str | None) -> str:
    """Return the name of this cell, as [cells] name sets it.

    :raises cells.exceptions.ConfigurationError: it is not set, or is no name of a cell
    """
    if not name:
        raise exceptions.ConfigurationError(
            "[cells] name is not set: give this cell its name in the configuration file."
        )
    try:
        return path.check_name(name)
    except exceptions.InvalidNeighbor as error:
        raise exceptions.ConfigurationError(f"[cells] name: {error.message}") from error


def describe(name: str, host: str) -> dict[str, Any]:
    """Return the constants of this manager, as :class:`cells.manager.local_cell.LocalCell` has them."""
    return {
        "name": name,
        "host": host,
        "pid": os.getpid(),
        "version": versions.CURRENT,
        "release": metadata.version("cells-intercell"),
    }
