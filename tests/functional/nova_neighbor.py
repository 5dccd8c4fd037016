"""Neighbor that behaves like Nova's cells service: only API 1.0, on the memory bus.

It follows captures of a running Nova service and uses no classes of this project:
otherwise the same mistake in reading and writing would remain unnoticed.
"""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

from cells.drivers.base import DriverSettings
from cells.drivers.memory import MemoryDriver
from cells.neighbors.neighbor import Neighbor
from tests.functional.cell_tree import CellTree, wait_for
from tests.text_message import TextMessage

Json = dict[str, Any]
MESSAGE_TYPES = ("targeted", "broadcast", "response")
#: The context that Nova's periodic tasks send.
CONTEXT: Json = {
    **dict.fromkeys(("user", "tenant", "system_scope", "project", "domain", "user_domain", "project_domain")),
    **dict.fromkeys(("auth_token", "global_request_id", "resource_uuid", "user_id", "project_id", "remote_address")),
    **dict.fromkeys(("quota_class", "user_name", "project_name")),
    **dict.fromkeys(("is_admin", "is_admin_project"), True),
    **dict.fromkeys(("read_only", "show_deleted"), False),
    "user_identity": "- - - - -",
    "request_id": "req-b38f0939",
    "roles": [],
    "service_catalog": [],
    "read_deleted": "no",
    "timestamp": "2026-11-21T20:08:15.667882",
}


class NovaNeighbor:
    """The cell ``nova``: child or parent of a cell of a tree, from enter to exit; the tree forgets it then."""

    def __init__(self, tree: CellTree, beside: str, *, is_parent: bool, version_cap: str | None = None) -> None:
        self.tree = tree
        self.cell = tree[beside]
        self.is_parent = is_parent
        self.version_cap = version_cap
        self.messages: list[Json] = []
        self.is_silent = False
        self.answers_twice = False
        self._url = f"memory://{uuid.uuid4().hex}/nova"
        settings = DriverSettings(None, "nova-host", self._url, MESSAGE_TYPES)  # type: ignore[arg-type]
        self._driver = MemoryDriver(settings)
        self._lock = threading.Lock()

    def __enter__(self) -> NovaNeighbor:
        self._driver.start_servers(self._take)
        # An earlier neighbor of this name knew no ping; this one is pinged at once nevertheless.
        self.cell.service.prober.heard_from("nova")
        row = Neighbor("nova", self._url, is_parent=self.is_parent, driver="memory", version_cap=self.version_cap)
        self.cell.database.create(row)
        assert self.cell.service.loader.load()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._driver.stop_servers()
        self.cell.database.delete("nova")
        assert self.cell.service.loader.load()

    def wait_for_message(self, **keys: Any) -> Json:
        """Return the first received message with these keys."""
        return wait_for(lambda: next(iter(self.received(**keys)), None), f"Nova gets a message with {keys}")

    def received(self, **keys: Any) -> list[Json]:
        with self._lock:
            return [message for message in self.messages if keys.items() <= message.items()]

    def request(self, message_type: str, method: str, **keys: Any) -> Json:
        """Return a request in the form of its source."""
        message = {"message_type": message_type, "ctxt": CONTEXT, "method_name": method, "method_kwargs": {}}
        message |= {"direction": "down" if self.is_parent else "up", "need_response": True, "fanout": False}
        message |= {"uuid": str(uuid.uuid4()), "routing_path": "nova", "hop_count": 1, "max_hop_count": 10}
        return message | keys

    def answer_to(self, request: Json, value: Any, *, failure: bool = False) -> Json:
        """Return the answer to a received request, which contains the request."""
        way = request["routing_path"].split("!")
        back = way[-2:] if request["message_type"] == "broadcast" else way
        own = {"cell_name": "!".join(way), "value": value, "failure": failure}
        responses = [json.dumps(one) for one in (value if isinstance(value, list) else [own])]
        return {
            **self.request("response", "parse_responses", ctxt=request["ctxt"], need_response=False),
            "method_kwargs": {"orig_message": json.dumps(request), "responses": responses},
            "direction": "up" if request["direction"] == "down" else "down",
            "fanout": len(back) == 2,
            "response_uuid": request["uuid"],
            "target_cell": "!".join(reversed(back)),
        }

    def send(self, message: Json) -> None:
        """Send to the neighbor; the sender sets routing_path and hop_count."""
        sealed = TextMessage(message["message_type"], bool(message.get("fanout")), json.dumps(message))
        row = Neighbor(self.cell.path.last, self.cell.transport_url, is_parent=not self.is_parent, driver="memory")
        self._driver.send_message_to_cell(row, sealed)

    def announce(self, capabilities: dict[str, list[str]], capacities: Json) -> None:
        """Report to the parent, like a child does periodically."""
        for method, kwargs in (
            ("update_capabilities", {"cell_name": "nova", "capabilities": capabilities}),
            ("update_capacities", {"cell_name": "nova", "capacities": capacities}),
        ):
            target = f"nova!{self.cell.path.last}"
            keys = {"method_kwargs": kwargs, "target_cell": target, "need_response": False, "fanout": True}
            self.send(self.request("targeted", method, **keys))

    def _take(self, text: str) -> None:
        message = json.loads(text)
        message["routing_path"] += "!nova"
        message["hop_count"] += 1
        with self._lock:
            self.messages.append(message)
        if not message["need_response"] or self.is_silent:
            return
        method = message["method_name"]
        if method == "get_host":
            answer = self.answer_to(message, "nova-host")
        else:
            # Nova's dispatcher looks methods up by getattr.
            error = {"class": "AttributeError", "module": "builtins", "message": f"no {method}"}
            error |= {"tb": ["Traceback ..."], "args": [f"no {method}"], "kwargs": {}}
            answer = self.answer_to(message, json.dumps(error), failure=True)
        for _ in range(2 if self.answers_twice else 1):
            self.send(answer)
