"""Generator of broken messages, reproducible by its seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

TYPES = ("targeted", "broadcast", "response")
METHODS = (
    "__init__",
    "__class__",
    "describe",
    "_run",
    "ping ",
    "PING",
    "parse_responses",
    "update_capacities",
    "",
    "\0",
)
WRONG_VALUES: tuple[Any, ...] = (
    None,
    7,
    -1,
    1e400,
    True,
    "",
    "x",
    "a!!b",
    "!",
    [],
    [[]],
    {},
    {"a": None},
    "\ud800",
    2**70,
)


class Broken(NamedTuple):
    """Broken message: raw body, content type, and receiving queue."""

    topic_type: str
    body: bytes
    content_type: str


def stream(seed: int, count: int, cell: str) -> Iterator[Broken]:
    """Yield ``count`` broken messages for ``cell``."""
    chance = random.Random(seed)
    for _ in range(count):
        topic_type = chance.choice(TYPES)
        spoil = chance.choice(_SPOILERS)
        body, content_type = spoil(chance, _valid(chance, topic_type, cell))
        yield Broken(topic_type, body, content_type)


def without_envelope(body: bytes) -> bytes:
    """Return the zmq form of a RabbitMQ body in an envelope; a body without an envelope stays broken."""
    try:
        message = json.loads(json.loads(body)["oslo.message"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return body
    return json.dumps({"context": {}, "message": message}).encode()


def _valid(chance: random.Random, message_type: str, cell: str) -> dict[str, Any]:
    """Return a message of a child ``stranger``."""
    message = {
        "message_type": message_type,
        "ctxt": {"user_id": "nobody", "is_admin": False},
        "method_name": "parse_responses" if message_type == "response" else "ping",
        "method_kwargs": {"orig_message": "{}", "responses": []} if message_type == "response" else {},
        "direction": "up",
        "need_response": message_type != "response" and chance.random() < 0.3,
        "fanout": False,
        "uuid": f"{chance.getrandbits(128):032x}",
        "routing_path": "stranger",
        "hop_count": 1,
        "max_hop_count": 10,
    }
    if message_type != "broadcast":
        message["target_cell"] = f"stranger!{cell}"
    if message_type == "response":
        message["response_uuid"] = "0" * 32
    return message


def _envelope(message: object) -> tuple[bytes, str]:
    payload = {"method": "process_message", "args": {"message": message}, "version": "1.0", "namespace": None}
    return _wrapped(json.dumps({**payload, "_unique_id": f"{random.getrandbits(128):032x}"}))


def _wrapped(payload: object, version: object = "2.0") -> tuple[bytes, str]:
    return json.dumps({"oslo.version": version, "oslo.message": payload}).encode(), "application/json"


def _no_json(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    text = json.dumps(message)
    return _envelope(
        chance.choice([text[: chance.randrange(len(text))], text.replace('"', "'"), text + "}", "[" * 5000])
    )


def _not_an_object(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    return _envelope(chance.choice(["null", "[]", "3", '"text"', "NaN", "", json.dumps([message])]))


def _not_even_text(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    return _envelope(chance.choice([None, 5, [], {}, True, message]))


def _missing_key(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    message.pop(chance.choice(["message_type", "method_name", "method_kwargs", "direction", "routing_path", "ctxt"]))
    return _envelope(json.dumps(message))


def _wrong_value(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    message[chance.choice(list(message))] = chance.choice(WRONG_VALUES)
    return _envelope(json.dumps(message))


def _wrong_method(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    message["method_name"] = chance.choice(METHODS)
    return _envelope(json.dumps(message))


def _wrong_arguments(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    message["method_kwargs"] = chance.choice([{"self": 1}, {"call": 1}, {"colour": "red"}, {"": ""}, {"a b": []}])
    return _envelope(json.dumps(message))


def _unknown_type(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    message["message_type"] = chance.choice(["carrier-pigeon", "Targeted", "base", "__class__"])
    return _envelope(json.dumps(message))


def _wrong_way(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    message["routing_path"] = chance.choice(["a!b!c", "!".join("abcdefghijkl"), "stranger!stranger"])
    message["hop_count"] = chance.choice([0, 9, 10, 11, 10**9])
    return _envelope(json.dumps(message))


def _wrong_answers(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    responses = chance.choice([None, "x", [None], ["{"], ["[]"], [json.dumps({"failure": True, "value": 3})], [{}]])
    message.update(method_name="parse_responses", method_kwargs={"orig_message": "{}", "responses": responses})
    return _envelope(json.dumps(message))


def _huge(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    # Rarely, because otherwise the test would measure RabbitMQ.
    size = 10_000_000 if chance.random() < 0.02 else 100_000
    message["method_kwargs"] = {"padding": "x" * size}
    return _envelope(json.dumps(message))


def _wrong_call(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    payload = {"method": "process_message", "args": {"message": json.dumps(message)}, "version": "1.0"}
    payload.update(
        chance.choice(
            [
                {"method": "process_messages"},
                {"method": "__init__"},
                {"args": {}},
                {"args": {"message": "{}", "more": 1}},
                {"version": "7.3"},
                {"version": "one"},
                {"namespace": "elsewhere"},
            ]
        )
    )
    return _wrapped(json.dumps({"namespace": None, **payload}))


def _wrong_envelope(chance: random.Random, message: dict[str, Any]) -> tuple[bytes, str]:
    payload = json.dumps(message)
    return chance.choice(
        [
            (b"", "application/json"),
            (b"{", "application/json"),
            (b"\x80\xff\x00", "application/json"),
            (b"null", "application/json"),
            (b"[]", "application/json"),
            (b"{}", "application/json"),
            (payload.encode(), "application/json"),
            (payload.encode(), "text/plain"),
            (b"\x80\x04K\x01.", "application/x-python-serialize"),
            _wrapped(payload, "9.0"),
            _wrapped(payload, None),
            _wrapped("{"),
            _wrapped(None),
            _wrapped("[]"),
        ]
    )


Spoiler = Callable[[random.Random, dict[str, Any]], tuple[bytes, str]]
_SPOILERS: tuple[Spoiler, ...] = (
    _no_json,
    _not_an_object,
    _not_even_text,
    _missing_key,
    _wrong_value,
    _wrong_method,
    _wrong_arguments,
    _unknown_type,
    _wrong_way,
    _wrong_answers,
    _huge,
    _wrong_call,
    _wrong_envelope,
)
