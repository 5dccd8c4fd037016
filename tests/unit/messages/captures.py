"""The messages that a real cells service of Nova's was seen to send, and how to compare with them."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from cells import messages, versions
from cells.messages import Message, SealedMessage

T = TypeVar("T", bound=Message)
GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json"))
LIMIT_BYTES = 4 * 1024 * 1024


def capture(name: str) -> dict[str, Any]:
    """The inter-cell message of a capture."""
    message: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())["message"]
    return message


def parse(data: object) -> Message:
    """The message that ``data`` is the JSON of."""
    return messages.parse(json.dumps(data), LIMIT_BYTES, 10)


def over_the_wire(message: Message, version: str = versions.OLDEST, now: float = 0.0) -> Message:
    """What arrives when ``message`` is sent."""
    return messages.parse(as_it_comes(message.sealed(version, LIMIT_BYTES)), LIMIT_BYTES, 10, now)


def as_it_comes(sealed: SealedMessage) -> Any:
    """What a receiver is handed of a sealed message, alone or as one of many."""
    return json.loads(json.dumps(sealed.to_item())) if sealed.may_share_a_cast else sealed.to_json()


def changed(message: T, **values: Any) -> T:
    """The message with other values of its own fields, of its header, or of its content."""
    header = {field.name: values.pop(field.name) for field in fields(message.header) if field.name in values}
    content = {name: values.pop(name) for name in ("kwargs", "context") if name in values}
    if content:
        values["payload"] = replace(message.payload, **content)  # type: ignore[type-var]  # of no text
    return replace(message, header=replace(message.header, **header), **values)


def opened(message: T) -> T:
    """The message with its payload read."""
    return replace(message, payload=Message.content(message))


def shape(value: object) -> object:
    """The keys and types of a JSON value, without the values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


def sent(message: Message, version: str = versions.OLDEST) -> Any:
    """The JSON value of what travels."""
    came = as_it_comes(message.sealed(version, LIMIT_BYTES))
    return json.loads(came) if isinstance(came, str) else came
