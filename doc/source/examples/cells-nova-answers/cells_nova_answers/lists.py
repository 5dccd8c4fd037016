"""Endpoints for the lists that Nova's cells service asks all cells below it for, and one that it asks all above it for.

Nova gives its caller the answers of all cells, or the error of one: a cell without these endpoints makes
``nova service-list``, ``nova hypervisor-list``, ``nova hypervisor-stats``, ``nova migration-list`` and
``nova usage-audit-log`` fail in the cells above it.
"""

from __future__ import annotations

from typing import Any

from cells.endpoints import Call, endpoint
from cells_nova_answers import services
from cells_nova_answers.nova_objects import nova_object

FROM_ABOVE = ("own_cell", "parents")


@endpoint(callers=FROM_ABOVE)
def service_get_all(call: Call, filters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the services of this cell, each as Nova's object ``Service``.

    :param filters: field of a service -> the value that it must have; for Nova, ``disabled`` None means both
    """
    wanted = {key: value for key, value in (filters or {}).items() if (key, value) != ("disabled", None)}.items()
    found = services.services_of(call)
    return [services.as_object(one) for one in found if all(one.get(key) == value for key, value in wanted)]


@endpoint(callers=FROM_ABOVE, blocks=False)
def compute_node_get_all(call: Call, hypervisor_match: str | None = None) -> list[dict[str, Any]]:
    """Return the compute nodes of this cell: none."""
    return []


@endpoint(callers=FROM_ABOVE, blocks=False)
def compute_node_stats(call: Call) -> dict[str, int]:
    """Return what this cell adds to the sums of all compute nodes: nothing."""
    return {}


@endpoint(callers=FROM_ABOVE, blocks=False)
def task_log_get_all(call: Call, **filters: Any) -> list[dict[str, Any]]:
    """Return the entries of this cell in the log of Nova's audits: none."""
    return []


@endpoint(callers=FROM_ABOVE, blocks=False)
def get_migrations(call: Call, filters: dict[str, Any]) -> dict[str, Any]:
    """Return the migrations of this cell as Nova's object ``MigrationList``, without which Nova fails: none."""
    return nova_object("MigrationList", "1.0", {"objects": []})


@endpoint(callers=("children",), blocks=False)
def get_keypair_at_top(call: Call, user_id: str, name: str) -> None:
    """Return the key pair of a user in this cell: none.

    Nova takes each answer but None for the key pair, an error, too.
    """
