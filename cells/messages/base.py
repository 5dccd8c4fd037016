"""What all messages share: the fields, the keys on the wire, and the plan.

A message is data.  It decides where it has to go next (:meth:`Message.plan`)
from the neighbors it is shown, and changes nothing: being passed on makes a
new message.  The names of the wire are Nova's and appear in to_dict/read alone.
"""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from cells import exceptions, versions
from cells.messages.validation import (
    MAX_TRACE,
    check_size,
    load,
    want,
    want_deadline,
    want_direction,
    want_name,
    want_trace,
)
from cells.messages.wire import SealedMessage, to_text
from cells.neighbors import Direction, Neighbors
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath

if TYPE_CHECKING:
    from typing_extensions import Self

DEFAULT_MAX_HOP_COUNT = 10
#: Nobody counts further.
MAX_HOPS = 1_000_000
#: The version that is spoken with a neighbor, a key of :data:`cells.versions.HISTORY`.
Toward = Callable[[Neighbor], str]


def new_id() -> str:
    """An identity for a message that has none yet."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Hop:
    """One step: the message to hand to a neighbor."""

    neighbor: Neighbor
    message: Message
    #: the neighbor from which the answer comes, by the name that it has for itself
    answered_by: str
    #: what is spoken with the neighbor
    version: str


@dataclass(frozen=True)
class Plan:
    """What has to be done with a message in the cell where it is now."""

    run_here: bool = False
    hops: tuple[Hop, ...] = ()
    #: for whose answers this cell waits, names of neighbors, or HERE for its own; None: it collects none
    awaited: tuple[str, ...] | None = None
    #: whether what it waits for is sent on as it comes, and not as one list when all is there
    streams: bool = False


#: The part of the answers that a cell gives itself; no neighbor has this name.
HERE = ""
#: All there is to do with a message that has come to its end: it is made once, not for each of them.
RUN_HERE = Plan(run_here=True)


@dataclass(frozen=True, kw_only=True)
class Message:
    """Base of the three types of message."""

    message_type: ClassVar[str]
    #: the version from which on messages of this type carry ``reply_to``
    reply_to_since: ClassVar[str] = versions.REPLY_TO

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
    #: context and arguments as the text that came, which only the target reads: see :meth:`opened`
    payload: str | None = None
    #: until when somebody waits, in seconds of the monotonic clock here; what travels is the time left
    deadline: float | None = None
    #: the manager of the source that waits
    reply_server: str = ""
    #: where the client waits that made the call: a text that only drivers read
    reply_to: str = ""
    #: of W3C's Trace Context, as it came
    traceparent: str = ""
    #: what cells have noted about it on its way; None: nobody wants to know
    trace: tuple[Mapping[str, Any], ...] | None = None
    #: the version in whose form it leaves this cell, whatever else is spoken there; empty: that one
    form: str = ""
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
    def is_at_target(self) -> bool:
        """Whether it goes to no other cell from here."""
        return False

    @property
    def response_to(self) -> str | None:
        """The id of the message that this one answers, if it is an answer."""
        return None

    @property
    def return_path(self) -> CellPath:
        """The way that an answer has to walk from here."""
        raise NotImplementedError

    def but(self, **changes: Any) -> Self:
        """The message with some fields changed: as :func:`dataclasses.replace`, at a quarter of its price."""
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, **changes)
        if not changes.keys().isdisjoint(("payload", "kwargs", "context")):
            changed.__dict__.pop("payload_text", None)
        return changed

    def missing(self, part: str) -> CellPath:
        """The cell whose answer is missing: ``part`` of this one's answers, as in :attr:`Plan.awaited`, or deeper."""
        return self.route.joined(CellPath.parse(part)) if part else self.route

    def is_late(self, now: float) -> bool:
        """Whether nobody waits any more for what it would do."""
        return self.deadline is not None and now >= self.deadline

    def plan(self, neighbors: Neighbors, toward: Toward) -> Plan:
        """Decide what to do with the message here.  Pure.

        :raises cells.exceptions.RoutingError: it cannot reach its target
        """
        raise NotImplementedError

    def arrived_at(self, cell: str) -> Self:
        """The message once ``cell`` has received it."""
        return self.but(route=self.route.child(cell), hop_count=self.hop_count + 1)

    def addressed(self, server: str) -> Self:
        """The message, whose answer goes to the manager ``server``.

        :raises cells.exceptions.InvalidArguments: an argument has no JSON form
        """
        # Written first, so that the copies for a hundred neighbors are not each written anew.
        return self.but(reply_server=server, payload_text=self.payload_text)

    def noting(self, event: str, at: float) -> Self:
        """The message with one more event of this cell, if somebody wants to know.

        :param at: seconds since 1970, by the clock of this cell
        """
        if self.trace is None or len(self.trace) >= MAX_TRACE:
            return self
        return self.but(trace=(*self.trace, {"cell": self.here, "event": event, "at": round(at, 6)}))

    def opened(self) -> Self:
        """The message with its context and arguments read.

        :raises cells.exceptions.MalformedMessage: they cannot be
        """
        if self.payload is None:
            return self
        kwargs, context = Message.contents(self)
        return self.but(payload=None, kwargs=kwargs, context=context)

    def contents(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Arguments and context, for the endpoint here.

        :raises cells.exceptions.MalformedMessage: they cannot be read
        """
        if self.payload is None:
            return self.kwargs, self.context
        data = load(self.payload)
        return want(data, "method_kwargs", dict), want(data, "ctxt", dict, {})

    def head(self, version: str) -> dict[str, Any]:
        """The keys that every cell on the way reads, but for the time that is left."""
        keys: dict[str, Any] = {
            "message_type": self.message_type,
            "method_name": self.method,
            "direction": self.direction.value,
            "need_response": self.needs_response,
            "fanout": self.fanout and not self.server(version),
            "uuid": self.id,
            "routing_path": str(self.route),
            "hop_count": self.hop_count,
            "max_hop_count": self.max_hop_count,
        }
        if versions.speaks(version, versions.REPLY_SERVER):
            if self.reply_server:
                keys["reply_server"] = self.reply_server
            if self.reply_to and versions.speaks(version, self.reply_to_since):
                keys["reply_to"] = self.reply_to
            if self.traceparent:
                keys["traceparent"] = self.traceparent
            if self.trace is not None:
                keys["trace"] = self.trace
        return keys

    def server(self, version: str) -> str:  # noqa: ARG002  # what it may depend on
        """The one manager of the next cell that it is for; empty if there is none."""
        return ""

    @property
    def client(self) -> str:
        """Where the client waits that can be sent the value of this message directly; empty if there is none."""
        return ""

    @functools.cached_property
    def payload_text(self) -> str:
        """Context and arguments as the JSON text of an object.

        :raises cells.exceptions.InvalidArguments: an argument has no JSON form
        """
        if self.payload is not None:
            return self.payload
        try:
            return to_text({"ctxt": self.context, "method_kwargs": self.kwargs})
        except (TypeError, ValueError, RecursionError) as error:
            raise exceptions.InvalidArguments(
                f"The arguments of {self.method} cannot be written as JSON: {error}", method=self.method
            ) from error

    def sealed(self, version: str, limit_bytes: int) -> SealedMessage:
        """The message in the form of ``version``, ready to be sent.

        :raises cells.exceptions.MessageTooLarge: it is longer than ``limit_bytes``
        :raises cells.exceptions.InvalidArguments: an argument has no JSON form
        :raises cells.exceptions.MalformedMessage: what came as text and would travel in it cannot be read
        :raises cells.exceptions.RPCVersionCapError: it needs more than ``version``
        """
        # A text of another cell is not put among the keys of a message unread: it may hold keys of its own.
        message = self if versions.speaks(version, versions.BATCHES) else self.opened()
        sealed = SealedMessage(
            message_type=self.message_type,
            fanout=self.fanout and not self.server(version),
            version=version,
            head=message.head(version),
            payload=message.payload_text,
            server=self.server(version),
            deadline=self.deadline,
        )
        check_size(sealed.size_bytes, limit_bytes, self.method)
        return sealed

    def to_dict(self, version: str = versions.OLDEST) -> dict[str, Any]:
        """All keys of a message that travels alone, with JSON values, but for the time that is left."""
        message = self.opened()
        return {**message.head(version), "ctxt": message.context, "method_kwargs": message.kwargs}

    @classmethod
    def read(cls, data: Mapping[str, Any], default_max_hop_count: int, now: float) -> Self:
        """Build the message from the keys of the wire; unknown keys are ignored.

        :param now: seconds of the monotonic clock
        :raises cells.exceptions.MalformedMessage: a key is missing or has a wrong type
        """
        message = object.__new__(cls)
        # All fields of the class without a default are among those that are read; __init__ would set each by itself.
        known: Any = cls
        message.__dict__.update(_defaults(known), **cls._fields(data, default_max_hop_count, now))
        return message

    @classmethod
    def _fields(cls, data: Mapping[str, Any], default_max_hop_count: int, now: float) -> dict[str, Any]:
        max_hop_count = want(data, "max_hop_count", int, default_max_hop_count)
        hop_count = want(data, "hop_count", int, 0)
        if not 1 <= max_hop_count <= MAX_HOPS or not 0 <= hop_count <= MAX_HOPS:
            raise exceptions.MalformedMessage(f"'hop_count' must be from 0, and 'max_hop_count' from 1, to {MAX_HOPS}.")
        fields = {
            "method": want_name(data, "method_name"),
            "route": CellPath.parse(want(data, "routing_path", str)),
            "direction": want_direction(data),
            "needs_response": want(data, "need_response", bool, default=False),
            "fanout": want(data, "fanout", bool, default=False),
            "id": want_name(data, "uuid") if data.get("uuid") is not None else new_id(),
            "hop_count": hop_count,
            "max_hop_count": max_hop_count,
            "deadline": want_deadline(data, now),
        }
        if "payload" in data and "method_kwargs" not in data:
            fields["payload"] = want(data, "payload", str)
            fields["kwargs"] = fields["context"] = {}
        else:
            fields["kwargs"] = want(data, "method_kwargs", dict)
            fields["context"] = want(data, "ctxt", dict)
        for key in ("reply_server", "reply_to", "traceparent"):
            if data.get(key) is not None:
                fields[key] = want_name(data, key)
        if data.get("trace") is not None:
            fields["trace"] = want_trace(data)
        return fields


@functools.lru_cache
def _defaults(cls: Any) -> dict[str, Any]:
    """The fields that a message may do without, and their values."""
    return {field.name: field.default for field in dataclasses.fields(cls) if field.default is not dataclasses.MISSING}
