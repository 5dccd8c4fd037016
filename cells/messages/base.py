"""Base of all messages: a header, a payload, and the keys that differ from message to message.

A message is data and knows no engine.  Its header decides where it goes next; forwarding makes a new message.  The
names of the wire are Nova's; they appear in reading and writing alone.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

from cells import exceptions, versions
from cells.messages.header import Header, Hop, Plan, Toward
from cells.messages.memo import memo
from cells.messages.validation import MAX_TRACE, check_size, load, want, want_deadline, want_name, want_trace
from cells.messages.wire import Form, SealedMessage, to_text
from cells.neighbors import Neighbors
from cells.path import CellPath
from cells.worker_threads import new_id

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Content:
    """Arguments and context of a message, which only its target reads."""

    kwargs: Mapping[str, Any] = field(default_factory=dict)
    #: the request context as it came; unknown keys are forwarded
    context: Mapping[str, Any] = field(default_factory=dict)

    @memo
    def text(self) -> str:
        """The content as the JSON text of an object, written once for all hops of the message.

        :raises TypeError, ValueError, RecursionError: a value has no JSON form
        """
        return to_text({"ctxt": self.context, "method_kwargs": self.kwargs})

    @classmethod
    def read(cls, payload: str) -> Content:
        """Return the content that ``payload`` is the text of.

        :raises cells.exceptions.MalformedMessage: the text is no such object
        """
        data = load(payload)
        return cls(want(data, "method_kwargs", dict), want(data, "ctxt", dict, {}))


@dataclass(frozen=True, kw_only=True)
class Message:
    """Base of the three types of message."""

    header_class: ClassVar[type[Header]]
    message_type: ClassVar[str]
    #: whether messages of this type answer others
    is_answer: ClassVar[bool] = False
    #: the version from which on messages of this type carry ``reply_to``
    reply_to_since: ClassVar[str] = versions.REPLY_TO

    header: Header
    id: str = field(default_factory=new_id)
    #: a text is the unread payload of another cell
    payload: Content | str = field(default_factory=Content)
    #: the id of the message that this one answers; None if this one is no answer
    response_to: str | None = None
    #: when the caller stops waiting, in seconds of the monotonic clock here; the time left is sent instead
    deadline: float | None = None
    #: where the client waits that made the call: a text that only drivers read
    reply_to: str = ""
    #: of W3C's Trace Context, as it came
    traceparent: str = ""
    #: the events that cells have recorded on the way; None: no trace was asked for
    trace: tuple[Mapping[str, Any], ...] | None = None
    #: a detail of the method that errors and the log of this cell show.  Not sent
    about: str = ""

    @classmethod
    def new(
        cls, *, kwargs: Mapping[str, Any] | None = None, context: Mapping[str, Any] | None = None, **values: Any
    ) -> Self:
        """Build a message from its arguments, its context, and the fields of its header and its own side by side."""
        own = {name: values.pop(name) for name in cls._own_names() & values.keys()}
        return cls(header=cls.header_class(**values), payload=Content(kwargs or {}, context or {}), **own)

    @classmethod
    @functools.cache
    def _own_names(cls) -> frozenset[str]:
        return frozenset(found.name for found in fields(cls))

    @property
    def method(self) -> str:
        return self.header.method

    @property
    def title(self) -> str:
        """The method, as errors and the log name it."""
        return f"{self.method} ({self.about})" if self.about else self.method

    @property
    def route(self) -> CellPath:
        """The cells walked so far, source first."""
        return self.header.route

    @property
    def here(self) -> str:
        """The cell where the message is now."""
        return self.header.here

    @property
    def needs_response(self) -> bool:
        return self.header.needs_response

    @property
    def is_at_source(self) -> bool:
        return self.header.is_at_source

    @property
    def is_at_target(self) -> bool:
        """Whether the message goes to no other cell from here."""
        return self.header.is_at_target

    def missing(self, part: str) -> CellPath:
        """Return the cell whose answer is missing, as :meth:`Header.missing`."""
        return self.header.missing(part)

    def is_late(self, now: float) -> bool:
        """Whether the caller has stopped waiting at ``now``."""
        return self.deadline is not None and now >= self.deadline

    def plan(self, neighbors: Neighbors, toward: Toward) -> Plan:
        """Return the work of this cell on the message.  Pure.

        :raises cells.exceptions.RoutingError: the message cannot reach its target
        """
        return self.header.plan(neighbors, toward)

    def arrived_at(self, cell: str) -> Self:
        """Return the message once ``cell`` has received it."""
        return replace(self, header=self.header.arrived_at(cell))

    def with_values(self, **values: Any) -> Self:
        """Return the message with other values in some fields: a faster :func:`dataclasses.replace`."""
        message = object.__new__(type(self))
        object.__setattr__(message, "__dict__", {**self.__dict__, **values})
        return message

    def along(self, hop: Hop) -> Self:
        """Return the message as it leaves this cell by ``hop``."""
        return self if hop.header is self.header else self.with_values(header=hop.header)

    def recording(self, event: str, at: float) -> Self:
        """Return the message with one more event of this cell in its trace, if it has one and there is room.

        :param at: seconds since 1970, by the clock of this cell
        """
        if self.trace is None or len(self.trace) >= MAX_TRACE:
            return self
        return replace(self, trace=(*self.trace, {"cell": self.here, "event": event, "at": round(at, 6)}))

    @property
    def size_bytes(self) -> int:
        """About the bytes of the payload; 0 if it has no JSON form, which no message from another cell has."""
        try:
            return len(self.payload if isinstance(self.payload, str) else self._text(self.payload))
        except exceptions.InvalidArguments:
            return 0

    def content(self) -> Content:
        """Return arguments and context, for the endpoint here.

        :raises cells.exceptions.MalformedMessage: the payload cannot be read
        """
        return Content.read(self.payload) if isinstance(self.payload, str) else self.payload

    def sealed(self, version: str, limit_bytes: int) -> SealedMessage:
        """Return the message in the form of ``version``, ready to be sent; for the errors see :meth:`sealed_as`."""
        return self.sealed_as(self.header.form(version), limit_bytes)

    def sealed_as(self, form: Form, limit_bytes: int) -> SealedMessage:
        """Return the message ready to be sent.

        :param form: of its header
        :raises cells.exceptions.MessageTooLarge: the message is longer than ``limit_bytes``
        :raises cells.exceptions.InvalidArguments: an argument has no JSON form
        :raises cells.exceptions.MalformedMessage: the form includes the payload, which cannot be read
        :raises cells.exceptions.RPCVersionCapError: the message needs a higher version
        """
        payload = self.payload
        if not isinstance(payload, str) or not form.may_share_a_cast:
            # Before batches, the keys of the payload travel among those of the message: another cell's text is read
            # first, because it may hold keys of its own.
            payload = self._text(self.content())
        sealed = SealedMessage.of(form, self, payload)
        if sealed.size_bytes > limit_bytes:
            check_size(sealed.size_bytes, limit_bytes, self.method)
        if self.trace is not None:
            self.carries_trace(form.version)
        return sealed

    def _text(self, content: Content) -> str:
        try:
            return content.text
        except (TypeError, ValueError, RecursionError) as error:
            raise exceptions.InvalidArguments(
                f"The arguments of {self.method} cannot be written as JSON: {error}", method=self.method
            ) from error

    def write_own(self, keys: dict[str, Any], version: str) -> None:
        """Add to ``keys`` those that differ from message to message, but for the payload and the time left."""
        keys["uuid"] = self.id
        if self.response_to is not None:
            keys["response_uuid"] = self.response_to
        if self.reply_to and versions.speaks(version, self.reply_to_since):
            keys["reply_to"] = self.reply_to
        if self.traceparent and versions.speaks(version, versions.TRACE):
            keys["traceparent"] = self.traceparent
        if self.trace is not None and self.carries_trace(version):
            keys["trace"] = self.trace

    def carries_trace(self, version: str) -> bool:
        """Whether the trace of this message is part of its form in ``version``.

        :raises cells.exceptions.RPCVersionCapError: the message cannot go without its trace
        """
        return versions.speaks(version, versions.TRACE)

    @classmethod
    def read(cls, data: Mapping[str, Any], header: Header, now: float) -> Self:
        """Build the message of ``header`` from its own keys.  Unknown keys are ignored.

        :param now: seconds of the monotonic clock
        :raises cells.exceptions.MalformedMessage: a key is missing or has a wrong type
        """
        get = data.get
        payload = get("payload")
        values: dict[str, Any] = {
            "header": header,
            "id": new_id() if get("uuid") is None else want_name(data, "uuid"),
            "payload": payload if isinstance(payload, str) and "method_kwargs" not in data else _content(data),
        }
        if get("time_left") is not None:
            values["deadline"] = want_deadline(data, now)
        if cls.is_answer:
            # The work of an answer is done: it is never late.
            values["response_to"], values["deadline"] = want_name(data, "response_uuid"), None
        if get("reply_to") is not None:
            values["reply_to"] = want_name(data, "reply_to")
        if get("traceparent") is not None:
            values["traceparent"] = want_name(data, "traceparent")
        if get("trace") is not None:
            values["trace"] = want_trace(data)
        message = object.__new__(cls)
        # A frozen class would set each field by a call of its own, for each message of a batch; fields that are not
        # set have their defaults from the class.
        object.__setattr__(message, "__dict__", values)
        return message


def _content(data: Mapping[str, Any]) -> Content:
    return Content(want(data, "method_kwargs", dict), want(data, "ctxt", dict))
