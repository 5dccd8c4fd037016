"""The services of this cell as Nova lists services: the manager that answers, and the services in a file.

The file is a JSON list of objects with the keys ``host`` and ``binary``, and those of :data:`OPTIONAL`.  It is read at
each call.  A script that checks the services writes the file anew, or sets its time with ``touch``: a service without
``last_seen_up`` counts as seen at the time of the file.  Nova shows a service as ``up`` if it was seen within Nova's
``service_down_time``, 60 seconds by default.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cells.endpoints import Call
from cells_nova_answers.nova_objects import nova_object

LOG = logging.getLogger(__name__)

FILE_VARIABLE = "CELLS_NOVA_SERVICES"
DEFAULT_FILE = "/etc/cells/nova-services.json"
OPTIONAL: dict[str, type] = {"topic": str, "last_seen_up": str, "disabled": bool, "disabled_reason": str}
#: Nova has the field uuid, which its API shows, since this version of the object (Pike).
VERSION = "1.21"
#: Fields of Nova's own services.
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("topic", "disabled_reason", "availability_zone", "deleted_at")),
    **dict.fromkeys(("disabled", "forced_down", "deleted"), False),
    **dict.fromkeys(("report_count", "version"), 0),
}


def services_of(call: Call) -> list[dict[str, Any]]:
    """Return the fields of each service.  A file that cannot be read is left out: an error would cost Nova its list."""
    cell = call.cell.describe()
    found = [{"host": cell["host"], "binary": "cells-manager", "topic": "cells", "last_seen_up": _text(_now())}]
    file = Path(os.environ.get(FILE_VARIABLE, DEFAULT_FILE))
    try:
        found += _read(file)
    except FileNotFoundError:
        LOG.debug("There is no file %s with services.", file)
    except (OSError, ValueError, RecursionError) as error:
        LOG.warning("The services in %s are missing in the answer to %s: %s", file, call.route.first, error)
    # The same service has the same uuid in the answers of all managers of the cell.
    identity = uuid.uuid5(uuid.NAMESPACE_DNS, cell["name"])
    return [
        {
            **DEFAULTS,
            **service,
            "id": number,
            "uuid": str(uuid.uuid5(identity, f"{service['host']} {service['binary']}")),
            **dict.fromkeys(("created_at", "updated_at"), service["last_seen_up"]),
        }
        for number, service in enumerate(found, start=1)
    ]


def as_object(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return a service in the form that Nova reads."""
    return nova_object("Service", VERSION, service)


def _read(file: Path) -> list[dict[str, Any]]:
    """Return the services of a file.

    :raises ValueError: the file has another form
    """
    services = json.loads(file.read_text(encoding="utf-8"))
    seen_at = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
    return [_checked(service, seen_at) for service in (services if isinstance(services, list) else [services])]


def _checked(service: Any, seen_at: datetime) -> dict[str, Any]:
    kinds = {"host": str, "binary": str, **OPTIONAL}
    is_complete = isinstance(service, dict) and {"host", "binary"} <= service.keys() <= kinds.keys()
    if not is_complete or not all(isinstance(value, kinds[key]) for key, value in service.items()):
        raise ValueError(f"not a service: {service!r:.200}")
    if "last_seen_up" in service:
        seen_at = datetime.fromisoformat(service["last_seen_up"].replace("Z", "+00:00"))
    # Nova reads a time without a zone as UTC.
    return {**service, "last_seen_up": _text(seen_at if seen_at.tzinfo else seen_at.replace(tzinfo=timezone.utc))}


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _text(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
