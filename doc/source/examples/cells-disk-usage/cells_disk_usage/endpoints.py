"""How full the disks are, for whoever decides where the next thing goes."""

from __future__ import annotations

import shutil
from typing import Any

from cells import exceptions
from cells.endpoints import Call, endpoint


@endpoint
def disk_usage(call: Call, path: str = "/") -> dict[str, Any]:
    """Bytes of the file system that holds ``path``, and who asked from where."""
    try:
        usage = shutil.disk_usage(path)
    except (OSError, TypeError, ValueError) as error:
        raise exceptions.InvalidArguments(
            f"The disk usage of {path!r} in cell {call.cell.name} cannot be told: {error}.",
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
    """How full it is, from 0 to 100."""
    usage = disk_usage(call, path)
    used_bytes = usage["total_bytes"] - usage["free_bytes"]
    return round(100 * used_bytes / usage["total_bytes"])
