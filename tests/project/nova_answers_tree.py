"""Script: calls the endpoints of the example package for neighbors of Nova, as such a parent and child do.

Prints one JSON object.  :mod:`tests.project.test_nova_answers` starts it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import cells.cmd  # noqa: F401  # selects threads before the import of oslo.messaging
from tests.functional.cell_tree import CellTree
from tests.functional.nova_neighbor import Json, NovaNeighbor

#: The stock broadcasts of Nova 19.3 whose answers Nova waits for, with their arguments.
LISTS: dict[str, Json] = {
    "service_get_all": {"filters": {}},
    "compute_node_get_all": {"hypervisor_match": None},
    "compute_node_stats": {},
    "task_log_get_all": {
        **dict.fromkeys(("period_beginning", "period_ending"), "2026-01-01 00:00:00"),
        **dict.fromkeys(("host", "state")),
        "task_name": "instance_usage_audit",
    },
    "get_migrations": {"filters": {}},
}
FILTERED = ({"binary": "inventory", "disabled": None}, {"disabled": True}, {"host": "no-such-host"})
#: Notices, to which Nova waits for no answer; the answer tells the test that there is an endpoint.
DOWN: dict[str, Json] = {
    "instance_delete_everywhere": {"instance": {}, "delete_type": "soft"},
    "sync_instances": dict.fromkeys(("project_id", "updated_since", "deleted")),
}
UP: dict[str, Json] = {
    "get_keypair_at_top": {"user_id": "ada", "name": "key"},
    "instance_update_at_top": {"instance": {}},
    "instance_destroy_at_top": {"instance": {}},
    "instance_fault_create_at_top": {"instance_fault": {}},
    "bw_usage_update_at_top": {"bw_update_info": {}},
    "bdm_update_or_create_at_top": {"bdm": {}, "create": None},
    "bdm_destroy_at_top": {"instance_uuid": "9d1", "device_name": None, "volume_id": "7c"},
    "consoleauth_delete_tokens": {"instance_uuid": "9d1"},
}
WRONG_FILES = (
    *("", "{}", "7", "[{}]", '["inventory"]', '[{"host": "a", "binary": 7}]', '[{"host": "a", "binary": "b", "c": 1}]'),
    '[{"host": "a", "binary": "b", "last_seen_up": "yesterday"}]',
)


def ask(nova: NovaNeighbor, method: str, kwargs: Json) -> dict[str, Json]:
    """Return the answer of each cell to a broadcast."""
    request = nova.request("broadcast", method, method_kwargs=kwargs)
    nova.send(request)
    answer = nova.wait_for_message(response_uuid=request["uuid"])
    responses = [json.loads(text) for text in answer["method_kwargs"]["responses"]]
    return {response.pop("cell_name"): response for response in responses}


def ask_with(text: str, nova: NovaNeighbor) -> dict[str, Json]:
    """Return the services of each cell after a change of the file."""
    Path(os.environ["CELLS_NOVA_SERVICES"]).write_text(text, encoding="utf-8")
    return ask(nova, "service_get_all", {"filters": None})


def main() -> None:
    answers: dict[str, Any] = {}
    with CellTree({"east": {"az1": {}}}) as tree, NovaNeighbor(tree, "east", is_parent=True) as nova:
        answers["lists"] = {method: ask(nova, method, kwargs) for method, kwargs in LISTS.items()}
        answers["filtered"] = [ask(nova, "service_get_all", {"filters": filters}) for filters in FILTERED]
        answers["down"] = {method: ask(nova, method, kwargs) for method, kwargs in DOWN.items()}
        answers["wrong_files"] = [ask_with(text, nova) for text in WRONG_FILES]
    with CellTree({"east": {}}) as tree, NovaNeighbor(tree, "east", is_parent=False) as nova:
        answers["up"] = {method: ask(nova, method, kwargs) for method, kwargs in UP.items()}
        answers["wrong_way"] = ask(nova, "service_get_all", {"filters": {}})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
