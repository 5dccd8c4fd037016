"""The messages that a real cells service of Nova's was seen to send, and how to compare with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cells import messages, versions
from cells.messages import Message, SealedMessage

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
