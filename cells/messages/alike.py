"""Messages of one cast that are alike: they differ in the few keys that each has for itself.

What was found out about one of them holds for the others, so that a cast of many is read
once, and not as many times as there are messages in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

#: Kinds of messages that are remembered; there are few in one cast.
MAX_KINDS = 8
#: Equal values of these types are the same value, as long as their types are the same, too.
_SIMPLE = frozenset((str, int, bool, float, type(None)))


class Own(NamedTuple):
    """What each message has for itself, as it came: unchecked, None if it was left out."""

    id: Any
    payload: Any
    time_left: Any
    reply_to: Any
    traceparent: Any
    answers: Any


class Alike(Generic[T]):
    """What is known about the messages of one cast."""

    def __init__(self) -> None:
        self._kinds: list[tuple[dict[str, Any], list[type], T]] = []

    def find(self, shared: Mapping[str, Any]) -> T | None:
        """What was found out about a message with the same other keys."""
        for known, types, found in self._kinds:
            # Equal is not the same: 1 == True == 1.0.
            if shared == known and [*map(type, shared.values())] == types:
                return found
        return None

    def add(self, shared: dict[str, Any], found: T) -> None:
        """Remember it for the messages to come."""
        types = [*map(type, shared.values())]
        if len(self._kinds) < MAX_KINDS and _SIMPLE.issuperset(types):
            self._kinds.append((shared, types, found))


def split(came: dict[str, Any]) -> tuple[dict[str, Any], Own]:
    """The keys that messages which are alike share, and what each has for itself."""
    shared = came.copy()
    take = shared.pop
    own = Own(
        take("uuid", None),
        take("payload", None),
        take("time_left", None),
        take("reply_to", None),
        take("traceparent", None),
        take("response_uuid", None),
    )
    return shared, own
