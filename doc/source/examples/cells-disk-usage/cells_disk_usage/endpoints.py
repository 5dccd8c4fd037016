"""Endpoints for the disk usage of a cell."""

from __future__ import annotations

import shutil
from typing import Any

from cells import exceptions
from cells.endpoints import Call, endpoint


@endpoint
def disk_usage(call: Call, path: str = "/") -> dict[str, Any]:
    """Return the bytes of the file system with ``path``, and the calling user and cell."""
    try:
        usage = shutil.disk_usage(path)
    except (OSError, TypeError, ValueError) as error:
        raise exceptions.InvalidArguments(
            f"The disk usage of {path!r} in cell {call.cell.name} is unknown: {error}.",
            cell=call.cell.name,
            method=call.method,
        ) from error
    return {
        "cell": call.cell.name,
        "total_bytes": usage.total,
        "free_bytes": usage.free,
        "asked_by": call.context.user_id,
        "asked_from": call.route.first,
    }


@endpoint(name="disk_usage_percent")
def percent(call: Call, path: str = "/") -> int:
    """Return the used part of the file system, from 0 to 100."""
    usage = disk_usage(call, path)
    used_bytes = usage["total_bytes"] - usage["free_bytes"]
    return round(100 * used_bytes / usage["total_bytes"])
