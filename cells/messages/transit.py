"""A message of a cast of many on its way through this cell, read no further than a cell on the way has to.

It does what :meth:`TargetedMessage.plan` and :meth:`Message.sealed` do, for the one case in which there
is nothing to decide but the next hop, and makes no message of it: a relay spends its time here.  Whatever
is not that case, or not as it should be, takes the long way, which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cells.budget import LONGEST_SECONDS
from cells.db.rows import NeighborRow
from cells.drivers import versions
from cells.messages.base import MAX_HOPS, Toward
from cells.messages.response import ResponseMessage
from cells.messages.sealed import HEAD_BYTES, SealedMessage
from cells.messages.targeted import TargetedMessage
from cells.neighbors import Direction, Neighbors
from cells.path import MAX_NAME_LENGTH, MAX_REMEMBERED_LENGTH, step

UP, DOWN = Direction.UP.value, Direction.DOWN.value
TARGETED, RESPONSE = TargetedMessage.message_type, ResponseMessage.message_type

#: Names that have to be there, and names that may be; they go on as they came.
NAMES = {TARGETED: ("method_name", "uuid"), RESPONSE: ("method_name", "uuid", "response_uuid")}
OPTIONAL_NAMES = ("reply_server", "reply_to", "traceparent")
#: What more there is to such a message is done on the long way.
ODD_KEYS = frozenset(("trace", "ctxt", "method_kwargs"))


class _TakesTheLongWay(Exception):  # nothing has gone wrong yet
    """There is more to it than to pass it on."""


class Transit(NamedTuple):
    """Where a message goes from here, and as what."""

    neighbor: NeighborRow
    message: SealedMessage


class Relay:
    """A cell on the way, as it is while it looks at the messages of one cast."""

    def __init__(self, here: str, neighbors: Neighbors, toward: Toward, limit_bytes: int, now: float) -> None:
        """:param now: seconds of the monotonic clock"""
        self._here = here
        self._neighbors = neighbors
        self._toward = toward
        self._limit_bytes = limit_bytes
        self._now = now
        #: next cell and direction -> the neighbour and the direction from here, if many travel to it together
        self._ways: dict[tuple[str, str], tuple[NeighborRow, str, str]] = {}

    def transit(self, came: object) -> Transit | None:
        """The next hop of what came, if all there is to do is to pass it on."""
        if not isinstance(came, dict) or not came.keys().isdisjoint(ODD_KEYS):
            return None
        try:
            return self._transit(came)
        except (_TakesTheLongWay, KeyError):
            return None

    def _transit(self, came: Mapping[str, Any]) -> Transit:
        message_type = came["message_type"]
        if message_type != TARGETED and message_type != RESPONSE:
            raise _TakesTheLongWay
        payload, target = came["payload"], came["target_cell"]
        if type(payload) is not str or len(payload) + HEAD_BYTES > self._limit_bytes:
            raise _TakesTheLongWay
        route, name, is_last = self._step(came["routing_path"], target)
        neighbor, direction, version = self._way(came["direction"], name)
        head = {key: _name(came[key]) for key in NAMES[message_type]}
        for key in OPTIONAL_NAMES:
            if came.get(key) is not None:
                head[key] = _name(came[key])
        hop_count, max_hop_count = _hops(came)
        needs_response, is_fanout = _flag(came, "need_response"), _flag(came, "fanout")
        deadline, server = None, ""
        if message_type == TARGETED:
            deadline = _deadline(came.get("time_left"), self._now)
        else:
            # As ResponseMessage: who waits may not be known, and an answer has no answer.
            if is_last and "reply_to" in head:
                raise _TakesTheLongWay
            server = head.get("reply_server", "") if is_last else ""
            needs_response, is_fanout = False, is_last and not server
        keys: dict[str, Any] = {
            "message_type": message_type,
            **head,
            "direction": direction,
            "need_response": needs_response,
            "fanout": is_fanout,
            "routing_path": route,
            "target_cell": target,
            "hop_count": hop_count,
            "max_hop_count": max_hop_count,
        }
        return Transit(neighbor, SealedMessage(message_type, is_fanout, version, keys, payload, server, deadline))

    def _way(self, direction: object, name: str) -> tuple[NeighborRow, str, str]:
        """The neighbour, the direction from here, and the version that is spoken with it."""
        if direction not in (UP, DOWN):
            raise _TakesTheLongWay
        way = self._ways.get((str(direction), name))
        if way is None:
            neighbor, onward = _neighbor(self._neighbors, direction, name)
            way = self._ways[str(direction), name] = (neighbor, onward, self._toward(neighbor))
        if not versions.speaks(way[2], versions.BATCHES):
            raise _TakesTheLongWay
        return way

    def _step(self, walked: object, target: object) -> tuple[str, str, bool]:
        if type(walked) is str and type(target) is str and len(walked) + len(target) <= MAX_REMEMBERED_LENGTH:
            found = step(walked, self._here, target)
            if found is not None:
                return found
        raise _TakesTheLongWay


def _name(value: object) -> str:
    if type(value) is str and 0 < len(value) <= MAX_NAME_LENGTH and value.isprintable():
        return value
    raise _TakesTheLongWay


def _flag(came: Mapping[str, Any], key: str) -> bool:
    value = came.get(key)
    if value is None or type(value) is bool:
        return bool(value)
    raise _TakesTheLongWay


def _hops(came: Mapping[str, Any]) -> tuple[int, int]:
    """The count as it is here, and its limit, which a message that goes on has not reached."""
    hop_count, max_hop_count = came["hop_count"], came["max_hop_count"]
    if type(hop_count) is int and type(max_hop_count) is int and 0 <= hop_count < max_hop_count - 1 < MAX_HOPS:
        return hop_count + 1, max_hop_count
    raise _TakesTheLongWay


def _neighbor(neighbors: Neighbors, direction: object, name: str) -> tuple[NeighborRow, str]:
    if direction == UP and name in neighbors.parents:
        return neighbors.parents[name], UP
    if name in neighbors.children:
        return neighbors.children[name], DOWN
    raise _TakesTheLongWay


def _deadline(time_left: object, now: float) -> float | None:
    if time_left is None:
        return None
    # A number that is none is neither over nor under anything.
    if isinstance(time_left, (int, float)) and time_left is not True and 0 < time_left <= LONGEST_SECONDS:
        return now + time_left
    raise _TakesTheLongWay
