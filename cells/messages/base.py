"""What all messages share: the fields, the keys on the wire, and the plan.

A message is data.  It decides where it has to go next (:meth:`Message.plan`)
from the neighbours it is shown, and changes nothing: being passed on makes a
new message.  The names of the wire are Nova's and appear in to_dict/read alone.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from cells import exceptions
from cells.db.rows import NeighborRow
from cells.neighbors import Direction, Neighbors
from cells.path import MAX_NAME_LENGTH, CellPath

if TYPE_CHECKING:
    from typing_extensions import Self

DEFAULT_MAX_HOP_COUNT = 10
#: Nobody counts further.
MAX_HOPS = 1_000_000
T = TypeVar("T")


#: Made once: json.dumps would make an encoder for each message.
to_text = json.JSONEncoder(allow_nan=False).encode


def new_id() -> str:
    """An identity for a message that has none yet."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Hop:
    """One step: the message to hand to a neighbour."""

    neighbor: NeighborRow
    message: Message
    #: the neighbour from which the answer comes, by the name that it has for itself
    answered_by: str


@dataclass(frozen=True)
class Plan:
    """What has to be done with a message in the cell where it is now."""

    run_here: bool = False
    hops: tuple[Hop, ...] = ()
    #: whether this cell collects the answers, or each goes to the source by itself
    gathers: bool = False


@dataclass(frozen=True)
class SealedMessage:
    """A message as the text that travels: what a driver is handed."""

    message_type: str
    fanout: bool
    text: str

    def to_json(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Message:
    """Base of the three types of message."""

    message_type: ClassVar[str]

    method: str
    #: the cells walked so far, source first, the cell where it is now last
    route: CellPath
    direction: Direction
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    #: the request context as it came; unknown keys are passed on
    context: Mapping[str, Any] = field(default_factory=dict)
    needs_response: bool = False
    #: for every manager of the receiving cell, not for one of them
    fanout: bool = False
    id: str = field(default_factory=new_id)
    hop_count: int = 1
    max_hop_count: int = DEFAULT_MAX_HOP_COUNT
    #: what errors of this cell and its log add to the name of the method; not sent
    about: str = ""

    @property
    def title(self) -> str:
        """The method, as errors and the log name it."""
        return f"{self.method} ({self.about})" if self.about else self.method

    @property
    def here(self) -> str:
        """The cell where the message is now."""
        return self.route.last

    @property
    def is_at_source(self) -> bool:
        return len(self.route) == 1

    @property
    def response_to(self) -> str | None:
        """The id of the message that this one answers, if it is an answer."""
        return None

    @property
    def return_path(self) -> CellPath:
        """The way that an answer has to walk from here."""
        raise NotImplementedError

    def missing(self, part: str) -> CellPath:
        """The cell whose answer is missing when the neighbour ``part`` gave none, or this cell if that is empty."""
        return self.route.child(part) if part else self.route

    def plan(self, neighbors: Neighbors) -> Plan:
        """Decide what to do with the message here.  Pure.

        :raises cells.exceptions.RoutingError: it can not reach its target
        """
        raise NotImplementedError

    def arrived_at(self, cell: str) -> Self:
        """The message once ``cell`` has received it."""
        return replace(self, route=self.route.child(cell), hop_count=self.hop_count + 1)

    def to_dict(self) -> dict[str, Any]:
        """The keys of the wire, with JSON values."""
        return {
            "message_type": self.message_type,
            "ctxt": self.context,
            "method_name": self.method,
            "method_kwargs": self.kwargs,
            "direction": self.direction.value,
            "need_response": self.needs_response,
            "fanout": self.fanout,
            "uuid": self.id,
            "routing_path": str(self.route),
            "hop_count": self.hop_count,
            "max_hop_count": self.max_hop_count,
        }

    def to_json(self) -> str:
        """The text that travels.

        :raises cells.exceptions.InvalidArguments: an argument has no JSON form
        """
        try:
            return to_text(self.to_dict())
        except (TypeError, ValueError, RecursionError) as error:
            raise exceptions.InvalidArguments(
                f"The arguments of {self.method} can not be written as JSON: {error}", method=self.method
            ) from error

    def sealed(self, limit_bytes: int) -> SealedMessage:
        """The message ready to be sent.

        :raises cells.exceptions.MessageTooLarge: it is longer than ``limit_bytes``
        :raises cells.exceptions.InvalidArguments: an argument has no JSON form
        """
        text = self.to_json()
        # json.dumps escapes everything that is not ASCII: a character is a byte.
        check_size(len(text), limit_bytes, self.method)
        return SealedMessage(self.message_type, self.fanout, text)

    @classmethod
    def read(cls, data: Mapping[str, Any], default_max_hop_count: int) -> Self:
        """Build the message from the keys of the wire; unknown keys are ignored.

        :raises cells.exceptions.MalformedMessage: a key is missing or has a wrong type
        """
        return cls(**cls._fields(data, default_max_hop_count))

    @classmethod
    def _fields(cls, data: Mapping[str, Any], default_max_hop_count: int) -> dict[str, Any]:
        max_hop_count = want(data, "max_hop_count", int, default_max_hop_count)
        hop_count = want(data, "hop_count", int, 0)
        if not 1 <= max_hop_count <= MAX_HOPS or not 0 <= hop_count <= MAX_HOPS:
            raise exceptions.MalformedMessage(f"'hop_count' must be from 0, and 'max_hop_count' from 1, to {MAX_HOPS}.")
        return {
            "method": want_name(data, "method_name"),
            "route": CellPath.parse(want(data, "routing_path", str)),
            "direction": want_direction(data),
            "kwargs": want(data, "method_kwargs", dict),
            "context": want(data, "ctxt", dict),
            "needs_response": want(data, "need_response", bool, default=False),
            "fanout": want(data, "fanout", bool, default=False),
            "id": want_name(data, "uuid") if data.get("uuid") is not None else new_id(),
            "hop_count": hop_count,
            "max_hop_count": max_hop_count,
        }


_REQUIRED: Any = object()


def want(data: Mapping[str, Any], key: str, kind: type[T], default: Any = _REQUIRED) -> T:
    """The value of ``key``, checked to be a ``kind``; a null counts as left out if it may be."""
    value = data.get(key)
    if value is None and default is not _REQUIRED:
        return default  # type: ignore[no-any-return]  # the caller's own default, of its own type
    if key not in data:
        raise exceptions.MalformedMessage(f"The message has no {key!r}.")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise exceptions.MalformedMessage(
            f"{key!r} of the message must be of type {kind.__name__}, not {type(value).__name__}."
        )
    return value


def want_name(data: Mapping[str, Any], key: str) -> str:
    """The value of ``key``, checked to be a text that can stand in a line of a log."""
    name = want(data, key, str)
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise exceptions.MalformedMessage(
            f"{key!r} of the message must be 1 to {MAX_NAME_LENGTH} printable characters, not {name!a:.60}."
        )
    return name


def want_direction(data: Mapping[str, Any]) -> Direction:
    """The value of ``direction``, checked."""
    try:
        return Direction(want(data, "direction", str))
    except ValueError as error:
        raise exceptions.MalformedMessage(
            f"'direction' must be 'up' or 'down', not {data['direction']!r:.40}."
        ) from error


def check_size(size_bytes: int, limit_bytes: int, what: str) -> None:
    """:raises cells.exceptions.MessageTooLarge: ``size_bytes`` is over the limit"""
    if size_bytes > limit_bytes:
        raise exceptions.MessageTooLarge(
            f"A message ({what}) of {size_bytes} bytes is longer than [cells] max_message_bytes = {limit_bytes}.",
            size_bytes=size_bytes,
            limit_bytes=limit_bytes,
        )
