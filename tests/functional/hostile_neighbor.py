"""Neighbor that a test controls: it sends any text with the credentials of a neighbor, and keeps all that it gets.

It uses no classes of this project to make its messages: a message may be one that no release would send.
"""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

from tests.functional.cell_tree import CellTree, TreeCell, wait_for
from tests.functional.hostile_wires import Wire, wire_of
from tests.text_message import TextMessage

Json = dict[str, Any]


class HostileNeighbor:
    """A registered child or parent of a cell of a tree, from enter to exit.

    :param wire: its link; by default of the same kind as those of the tree
    """

    def __init__(
        self, tree: CellTree, beside: str, name: str = "liar", *, is_parent: bool = False, wire: Wire | None = None
    ) -> None:
        self.name = name
        self.cell: TreeCell = tree[beside]
        self.is_parent = is_parent
        #: the answer to each ping; None: no answer
        self.description: Json | None = None
        self.wire = wire or wire_of(self.cell, name)
        self._lock = threading.Lock()
        self._received: list[Json] = []

    def __enter__(self) -> HostileNeighbor:
        self.wire.start(self._take)
        self.cell.database.create(self.wire.row(self.name, is_parent=self.is_parent))
        for manager in self.cell.managers:
            assert manager.loader.load()
        self.wire.connect()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.wire.stop()

    def request(self, message_type: str, method: str, **keys: Any) -> Json:
        """Return a message of this neighbor to its cell, in the form of 1.0; ``keys`` may contradict anything."""
        message: Json = {"message_type": message_type, "method_name": method, "ctxt": {}, "method_kwargs": {}}
        message |= {"direction": "down" if self.is_parent else "up", "need_response": True, "fanout": False}
        message |= {"uuid": uuid.uuid4().hex, "routing_path": self.name, "hop_count": 1, "max_hop_count": 10}
        if message_type != "broadcast":
            message["target_cell"] = f"{self.name}!{self.cell.path.last}"
        return message | keys

    def report(self, kind: str, values: Json) -> None:
        """Send capabilities or capacities to the cell, as a child does."""
        arguments = {"cell_name": self.name, kind: values}
        self.send(self.request("targeted", f"update_{kind}", method_kwargs=arguments, need_response=False))

    def answer(
        self, asked: Json, *values: Any, route: str = "", cell: str = "", passed_on_to: list[str] | None = None
    ) -> None:
        """Send the answer to a message, as if it came by ``route``.

        :param cell: the cell that the answer names; by default the one at the end of the route
        """
        way = [*asked["routing_path"].split("!"), *(route or self.name).split("!")]
        cell = cell or "!".join(way)
        texts = [json.dumps({"cell_name": cell, "value": value, "failure": False}) for value in values]
        arguments = {"orig_message": "{}", "responses": texts, "passed_on_to": passed_on_to or []}
        keys: Json = {"method_kwargs": arguments, "response_uuid": asked["uuid"], "need_response": False}
        walked = (route or self.name).split("!")[::-1]
        self.send(
            self.request(
                "response",
                "parse_responses",
                **keys,
                routing_path="!".join(walked),
                target_cell="!".join(way[::-1]),
                hop_count=len(walked),
            )
        )

    def forget(self) -> None:
        """Forget the received messages."""
        with self._lock:
            self._received.clear()

    def send(self, message: Json) -> None:
        self.send_text(message["message_type"], json.dumps(message), is_fanout=bool(message["fanout"]))

    def send_text(self, message_type: str, text: str, *, is_fanout: bool = False) -> None:
        self.wire.send([TextMessage(message_type, is_fanout, text)])

    def send_cast(self, messages: list[Json]) -> None:
        """Send many messages in one cast, each with its content as a payload."""
        items = []
        for message in messages:
            item = dict(message)
            item["payload"] = json.dumps({key: item.pop(key) for key in ("ctxt", "method_kwargs")})
            items.append(TextMessage(message["message_type"], fanout=False, text="", version="1.3", item=item))
        self.wire.send(items)

    def received(self, **keys: Any) -> list[Json]:
        """Return the received messages with these keys."""
        with self._lock:
            return [message for message in self._received if keys.items() <= message.items()]

    def next(self, **keys: Any) -> Json:
        """Return the first received message with these keys."""
        return wait_for(lambda: next(iter(self.received(**keys)), None), f"{self.name} gets {keys}")  # type: ignore[no-any-return]

    def errors(self, response_uuid: str) -> list[str]:
        """Return the classes of the errors in the answers to a message; None for a value."""
        answer = self.next(response_uuid=response_uuid)
        found = [json.loads(text) for text in answer["method_kwargs"]["responses"]]
        return [json.loads(one["value"])["class"] if one["failure"] else "" for one in found]

    def _take(self, came: Any) -> None:
        for message in came if isinstance(came, list) else [json.loads(came)]:
            if isinstance(message.get("payload"), str):
                message.update(json.loads(message["payload"]))
            with self._lock:
                self._received.append(message)
            if message["method_name"] == "ping" and self.description is not None:
                self.answer(message, self.description)
