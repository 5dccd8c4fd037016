"""Endpoints for the notices that Nova's cells service sends to all cells, and waits for no answer to.

They are about instances.  A cell without instances has nothing to do, as a cell of Nova that is not at the top has
nothing to do with most of them.  Without these endpoints, the manager counts each notice as lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from cells.endpoints import Call, endpoint

LOG = logging.getLogger(__name__)


def _ignored(name: str, callers: str) -> Callable[..., None]:
    @endpoint(name=name, accepts=("broadcast",), callers=callers, blocks=False)
    def ignore(call: Call, **arguments: Any) -> None:
        LOG.debug("Nothing to do for %s from %s", call.method, call.route.first)

    return ignore


instance_update_at_top = _ignored("instance_update_at_top", "children")
instance_destroy_at_top = _ignored("instance_destroy_at_top", "children")
instance_fault_create_at_top = _ignored("instance_fault_create_at_top", "children")
bw_usage_update_at_top = _ignored("bw_usage_update_at_top", "children")
bdm_update_or_create_at_top = _ignored("bdm_update_or_create_at_top", "children")
bdm_destroy_at_top = _ignored("bdm_destroy_at_top", "children")
consoleauth_delete_tokens = _ignored("consoleauth_delete_tokens", "children")
instance_delete_everywhere = _ignored("instance_delete_everywhere", "parents")
sync_instances = _ignored("sync_instances", "parents")
