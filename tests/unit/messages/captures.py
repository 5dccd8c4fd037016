"""The messages that a real cells service of Nova's was seen to send, and how to compare with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cells import messages
from cells.messages import Message

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


def over_the_wire(message: Message) -> Message:
    """What arrives when ``message`` is sent."""
    return messages.parse(message.sealed(LIMIT_BYTES).to_json(), LIMIT_BYTES, 10)


def shape(value: object) -> object:
    """The keys and types of a JSON value, without the values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


def sent(message: Message) -> Any:
    """The JSON value of what travels."""
    return json.loads(message.sealed(LIMIT_BYTES).to_json())
