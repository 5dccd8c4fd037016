"""The messages of a cast of many, read no further than this cell has to.

Most are on their way through, or at their end, and alike: see :mod:`cells.messages.alike`.  For those that are only
on their way it is done here what :meth:`TargetedMessage.plan` and :meth:`Message.sealed` do, for the one case in which
there is nothing to decide but the next hop, and no message is made of them: a relay spends its time here.  Whatever
is not that case, or not as it should be, takes the long way, which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cells import versions
from cells.deadlines import LONGEST_SECONDS
from cells.messages.alike import Alike, Own, split
from cells.messages.base import MAX_HOPS, Message, Toward
from cells.messages.response import ResponseMessage
from cells.messages.targeted import TargetedMessage
from cells.messages.wire import HEAD_BYTES, SealedMessage
from cells.neighbors import Direction, Neighbors
from cells.neighbors.neighbor import Neighbor
from cells.path import MAX_NAME_LENGTH, MAX_REMEMBERED_LENGTH, step

UP, DOWN = Direction.UP.value, Direction.DOWN.value
TARGETED, RESPONSE = TargetedMessage.message_type, ResponseMessage.message_type

#: What more there is to such a message is done on the long way.
ODD_KEYS = frozenset(("trace", "ctxt", "method_kwargs"))


class _TakesTheLongWay(Exception):  # nothing has gone wrong yet
    """There is more to it than to pass it on."""


class Transit(NamedTuple):
    """Where a message goes from here, and as what."""

    neighbor: Neighbor
    message: SealedMessage


@dataclass(frozen=True)
class _Onward:
    """Messages that are passed on to the same neighbor in the same form."""

    neighbor: Neighbor
    version: str
    #: the keys that they share, as they leave this cell
    keys: Mapping[str, Any]
    server: str

    def read(self, own: Own, now: float, limit_bytes: int) -> Transit:
        payload = own.payload
        if type(payload) is not str or len(payload) + HEAD_BYTES > limit_bytes:
            raise _TakesTheLongWay
        keys = self.keys
        head = {**keys, "uuid": _name(own.id)}
        message_type, deadline = keys["message_type"], None
        if message_type == RESPONSE:
            head["response_uuid"] = _name(own.answers)
        elif own.time_left is not None:
            deadline = _deadline(own.time_left, now)
        if own.reply_to is not None:
            is_last_hop = message_type == RESPONSE and (keys["fanout"] or self.server)
            if is_last_hop:
                # It may go straight to the client.
                raise _TakesTheLongWay
            reply_to = _name(own.reply_to)
            if message_type == RESPONSE or versions.speaks(self.version, versions.REPLY_TO):
                head["reply_to"] = reply_to
        if own.traceparent is not None:
            head["traceparent"] = _name(own.traceparent)
        return Transit(
            self.neighbor,
            SealedMessage(message_type, keys["fanout"], self.version, head, payload, self.server, deadline),
        )


@dataclass(frozen=True)
class _Arrived:
    """Messages that are read as one before them was."""

    first: Message

    def read(self, own: Own, now: float, limit_bytes: int) -> Message:
        payload, first = own.payload, self.first
        if type(payload) is not str or len(payload) > limit_bytes:
            raise _TakesTheLongWay
        is_answer = isinstance(first, ResponseMessage)
        if is_answer and own.time_left is not None:
            raise _TakesTheLongWay
        changes: dict[str, Any] = {"answers": _name(own.answers)} if is_answer else {}
        return first.but(
            id=_name(own.id),
            payload=payload,
            deadline=None if own.time_left is None else _deadline(own.time_left, now),
            reply_to="" if own.reply_to is None else _name(own.reply_to),
            traceparent="" if own.traceparent is None else _name(own.traceparent),
            **changes,
        )


class Relay:
    """A cell on the way, as it is while it looks at the messages of one cast."""

    def __init__(self, here: str, neighbors: Neighbors, toward: Toward, limit_bytes: int, now: float) -> None:
        """:param now: seconds of the monotonic clock"""
        self._here = here
        self._neighbors = neighbors
        self._toward = toward
        self._limit_bytes = limit_bytes
        self._now = now
        self._alike: Alike[_Onward | _Arrived] = Alike()

    def read(self, came: object) -> Transit | Message | None:
        """The next hop of what came, if all there is to do is to pass it on; the message if one like it was learned."""
        if type(came) is not dict:
            return None
        shared, own = split(came)
        found = self._alike.find(shared)
        try:
            if found is None:
                found = self._onward(shared)
                self._alike.add(shared, found)
            return found.read(own, self._now, self._limit_bytes)
        except (_TakesTheLongWay, KeyError):
            return None

    def learn(self, came: object, message: Message) -> None:
        """Read what is like ``came`` as ``message``, which it has become on the long way."""
        if type(came) is not dict or message.payload is None:
            return
        shared, _ = split(came)
        # It may have taken the long way for what it has for itself.
        if self._alike.find(shared) is None:
            self._alike.add(shared, _Arrived(message))

    def _onward(self, came: Mapping[str, Any]) -> _Onward:
        message_type = came["message_type"]
        if (message_type != TARGETED and message_type != RESPONSE) or not came.keys().isdisjoint(ODD_KEYS):
            raise _TakesTheLongWay
        target = came["target_cell"]
        route, name, is_last = self._step(came["routing_path"], target)
        neighbor, direction, version = self._way(came["direction"], name)
        names = {"method_name": _name(came["method_name"])}
        if came.get("reply_server") is not None:
            names["reply_server"] = _name(came["reply_server"])
        hop_count, max_hop_count = _hops(came)
        needs_response, is_fanout, server = _flag(came, "need_response"), _flag(came, "fanout"), ""
        if message_type == RESPONSE:
            # As ResponseMessage: who waits may not be known, and an answer has no answer.
            server = names.get("reply_server", "") if is_last else ""
            needs_response, is_fanout = False, is_last and not server
        keys: dict[str, Any] = {
            "message_type": message_type,
            **names,
            "direction": direction,
            "need_response": needs_response,
            "fanout": is_fanout,
            "routing_path": route,
            "target_cell": target,
            "hop_count": hop_count,
            "max_hop_count": max_hop_count,
        }
        return _Onward(neighbor, version, keys, server)

    def _way(self, direction: object, name: str) -> tuple[Neighbor, str, str]:
        """The neighbor, the direction from here, and the version that is spoken with it."""
        if direction not in (UP, DOWN):
            raise _TakesTheLongWay
        neighbor, onward = _neighbor(self._neighbors, direction, name)
        version = self._toward(neighbor)
        if not versions.speaks(version, versions.BATCHES):
            raise _TakesTheLongWay
        return neighbor, onward, version

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


def _neighbor(neighbors: Neighbors, direction: object, name: str) -> tuple[Neighbor, str]:
    if direction == UP and name in neighbors.parents:
        return neighbors.parents[name], UP
    if name in neighbors.children:
        return neighbors.children[name], DOWN
    raise _TakesTheLongWay


def _deadline(time_left: object, now: float) -> float:
    # A number that is none is neither over nor under anything.
    if isinstance(time_left, (int, float)) and time_left is not True and 0 < time_left <= LONGEST_SECONDS:
        return now + time_left
    raise _TakesTheLongWay
