"""Child cell that is only an end of the wire: records the messages at its broker, and answers in the same version.

It follows the definition of the inter-cell API and uses no wire code of this project: otherwise the same mistake
in reading and writing would remain unnoticed.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import Any

import oslo_messaging
from oslo_config import cfg

from cells.transport import open_transport
from cells.transport.server import PromptServer
from tools.polling import poll

Json = dict[str, Any]
NAME, LEAF, PARENT = "east", "az1", "api"
QUEUE_BASE = "cells.intercell"
#: Two servers receive answers, like two managers.
HOSTS = {"targeted": ["east-1"], "broadcast": ["east-1"], "response": ["east-1", "east-2"]}


@dataclass(frozen=True)
class Cast:
    """Messages of one received cast."""

    host: str
    method: str
    version: str
    messages: list[Json]


class _Endpoint:
    target = oslo_messaging.Target(version="1.4")

    def process_message(self, ctxt: Json, message: str) -> None:
        """Do nothing: the server has recorded the message."""

    def process_messages(self, ctxt: Json, messages: list[Json]) -> None:
        """Do nothing: the server has recorded the message."""


class RecordingNeighbor:
    """The cell ``east`` below ``api``, which announces ``az1`` as its child."""

    def __init__(self, conf: cfg.ConfigOpts, url: str, parent_url: str) -> None:
        self.announced = "1.4"
        self._casts: list[Cast] = []
        self._lock = threading.Lock()
        self._own, self._parent = open_transport(conf, url), open_transport(conf, parent_url)
        self._servers = [self._serve(kind, host) for kind, hosts in HOSTS.items() for host in hosts]

    def close(self) -> None:
        # Each server waits until its consumer wakes up; so all stop in parallel.
        with futures.ThreadPoolExecutor(len(self._servers)) as pool:
            list(pool.map(_stop, self._servers))
        for transport in (self._own, self._parent):
            transport.cleanup()

    def casts(self, **keys: Any) -> list[Cast]:
        """Return the casts with a message that has these keys."""
        with self._lock:
            return [cast for cast in self._casts if any(keys.items() <= one.items() for one in cast.messages)]

    def wait_for_cast(self, **keys: Any) -> Cast:
        return poll(lambda: self.casts(**keys), f"a message with {keys} comes")[0]

    def announce(self) -> None:
        """Announce to the parent, so that the parent pings this cell."""
        kwargs = {"cell_name": NAME, "capabilities": {}}
        self.send("1.0", [self._request("update_capabilities", kwargs, need_response=False, fanout=True)])

    def call(self, version: str, method: str, count: int = 1, reply_to: str = "") -> list[str]:
        """Call a method of the parent in the form of a version; return the ids of the requests.

        :param reply_to: queue of the waiting client, ``<request id>@<queue>``
        """
        requests = [self._request(method, {}, need_response=True, fanout=False) for _ in range(count)]
        if version >= "1.1":
            more = {"time_left": 20.0, "reply_server": "east-2", **({"reply_to": reply_to} if reply_to else {})}
            requests = [{**request, **more} for request in requests]
        self.send(version, requests)
        return [request["uuid"] for request in requests]

    def send(self, version: str, messages: Sequence[Json], server: str | None = None) -> None:
        """Send messages of one type to the parent's broker in the form of a version."""
        target = oslo_messaging.Target(topic=f"{QUEUE_BASE}.{messages[0]['message_type']}", version="1.0")
        options: Json = {"fanout": True} if messages[0]["fanout"] else {"server": server} if server else {}
        client = oslo_messaging.get_rpc_client(self._parent, target).prepare(version=version, **options)
        if version >= "1.3":
            client.cast({}, "process_messages", messages=[_as_item(message) for message in messages])
            return
        for message in messages:
            client.cast({}, "process_message", message=json.dumps(message))

    def _request(self, method: str, kwargs: Json, **keys: Any) -> Json:
        return {
            "message_type": "targeted",
            "ctxt": {},
            "method_name": method,
            "method_kwargs": kwargs,
            "direction": "up",
            "uuid": str(uuid.uuid4()),
            "routing_path": NAME,
            "target_cell": f"{NAME}!{PARENT}",
            "hop_count": 1,
            "max_hop_count": 10,
            **keys,
        }

    def _serve(self, message_type: str, host: str) -> Any:
        target = oslo_messaging.Target(topic=f"{QUEUE_BASE}.{message_type}", server=host)
        server = oslo_messaging.get_rpc_server(self._own, target, [_Endpoint()], server_cls=PromptServer)
        dispatch: Callable[[Any], Any] = server.dispatcher.dispatch

        def record(incoming: Any) -> Any:
            self._note(host, incoming.message)
            return dispatch(incoming)

        server.dispatcher.dispatch = record
        server.start()
        return server

    def _note(self, host: str, call: Json) -> None:
        arguments = call["args"]
        is_one = call["method"] == "process_message"
        messages = [json.loads(arguments["message"])] if is_one else arguments["messages"]
        cast = Cast(host, call["method"], call["version"], messages)
        with self._lock:
            self._casts.append(cast)
        for message in messages:
            if message["need_response"]:
                self._answer(cast, message)
            elif message["method_name"] == "announce_capabilities":
                self.announce()

    def _answer(self, cast: Cast, request: Json) -> None:
        own_path = f"{request['routing_path']}!{NAME}"
        if request["method_name"] == "ping":
            description = {"name": NAME, "host": "east-1", "version": self.announced}
            value: Any = {**description, "path": f"{PARENT}!{NAME}", "subtree": {LEAF: {}}}
        else:
            value = f"what {NAME} says"
        own = json.dumps({"cell_name": own_path, "value": value, "failure": False})
        if request["message_type"] != "broadcast":
            self._respond(cast, request, [own])
            return
        leaf = json.dumps({"cell_name": f"{own_path}!{LEAF}", "value": f"what {LEAF} says", "failure": False})
        if not request.get("stream"):
            self._respond(cast, request, [own, leaf])
            return
        # The answer of a cell may overtake the answer of its parent.
        self._respond(cast, request, [leaf], way=f"{LEAF}!{NAME}")
        self._respond(cast, request, [own], passed_on_to=[LEAF])

    def _respond(self, cast: Cast, request: Json, responses: list[str], way: str = NAME, **more: Any) -> None:
        server = request.get("reply_server")
        original = {key: request[key] for key in ("uuid", "method_name")}
        answer = {
            **self._request("parse_responses", {"orig_message": json.dumps(original), "responses": responses, **more}),
            "message_type": "response",
            "need_response": False,
            "fanout": not server,
            "routing_path": way,
            "target_cell": f"{way}!{PARENT}",
            "hop_count": len(way.split("!")),
            "response_uuid": request["uuid"],
        }
        if server:
            answer["reply_server"] = server
        self.send(cast.version, [answer], server)


def _stop(server: Any) -> None:
    server.stop()
    server.wait()


def _as_item(message: Json) -> Json:
    head = {key: value for key, value in message.items() if key not in ("ctxt", "method_kwargs")}
    payload = json.dumps({key: message[key] for key in ("ctxt", "method_kwargs")})
    return {**head, "payload": payload}


@contextlib.contextmanager
def recording(conf: cfg.ConfigOpts, url: str, parent_url: str) -> Iterator[RecordingNeighbor]:
    """Neighbor that is closed at the end."""
    neighbor = RecordingNeighbor(conf, url, parent_url)
    try:
        yield neighbor
    finally:
        neighbor.close()


def batches(casts: Sequence[Cast]) -> list[int]:
    """Return the number of messages of each cast."""
    return [len(cast.messages) for cast in casts]


def flattened(casts: Sequence[Cast]) -> list[Json]:
    """Return the messages of all casts."""
    return list(itertools.chain.from_iterable(cast.messages for cast in casts))
