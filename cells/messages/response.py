"""The way back: answers on their way to the cell that asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from cells import exceptions, failure, versions
from cells.messages.base import Message
from cells.messages.client_reply import ClientReply
from cells.messages.targeted import TargetedMessage
from cells.messages.validation import want_name
from cells.messages.wire import to_text
from cells.neighbors import Direction
from cells.transport.reply_address import ReplyAddress

if TYPE_CHECKING:
    from typing_extensions import Self

METHOD = "parse_responses"
#: What the manager that asked gets in place of an answer that its client has been sent: no Response.
ANSWERED = to_text({"answered": True})


@dataclass(frozen=True)
class Response:
    """What one cell answered: a value, or the error that was raised there.

    It travels as a JSON text within a ResponseMessage, which relays pass on unread; the last cell on the way reads
    what it sends straight to a client.
    """

    cell: str  #: the way from the source to the answering cell
    value: Any = None
    error: Exception | None = None
    #: what cells noted about the call and this answer on their way, if somebody wanted to know
    trace: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> str:
        """:raises cells.exceptions.InvalidArguments: the value has no JSON form"""
        has_failed = self.error is not None
        value = failure.to_json(self.error) if self.error is not None else self.value
        try:
            data = {"cell_name": self.cell, "value": value, "failure": has_failed}
            return to_text({**data, "trace": self.trace} if self.trace else data)
        except (TypeError, ValueError, RecursionError) as error:
            raise exceptions.InvalidArguments(f"The answer cannot be written as JSON: {error}") from error

    @classmethod
    def from_json(cls, text: str, allowed_modules: Sequence[str]) -> Response:
        """:raises cells.exceptions.MalformedMessage: it is not such a text"""
        try:
            data = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise exceptions.MalformedMessage(f"An answer cannot be read: {error}") from error
        if not isinstance(data, dict) or not isinstance(data.get("cell_name"), str):
            raise exceptions.MalformedMessage("An answer must be an object with 'cell_name', 'value' and 'failure'.")
        trace = tuple(data["trace"]) if isinstance(data.get("trace"), list) else ()
        if data.get("failure"):
            return cls(data["cell_name"], error=failure.from_json(data.get("value"), allowed_modules), trace=trace)
        return cls(data["cell_name"], value=data.get("value"), trace=trace)

    @classmethod
    def read(cls, text: str, allowed_modules: Sequence[str]) -> Response:
        """As :meth:`from_json`, but what cannot be read is an answer with that error; never raises."""
        try:
            return cls.from_json(text, allowed_modules)
        except exceptions.MalformedMessage as error:
            return cls("", error=error)

    @classmethod
    def read_one(cls, texts: Sequence[str], allowed_modules: Sequence[str]) -> Response:
        """As :meth:`read`, of the answers to a message that only one cell answers."""
        if len(texts) != 1:
            return cls("", error=exceptions.MalformedMessage(f"One answer was expected, {len(texts)} came."))
        return cls.read(texts[0], allowed_modules)


@dataclass(frozen=True, kw_only=True)
class ResponseMessage(TargetedMessage):
    """Carries the answers of one cell, or of a whole branch, to the cell that waits."""

    message_type: ClassVar[str] = "response"
    reply_to_since: ClassVar[str] = versions.REPLY_TO_IN_ANSWERS

    #: id of the message that is answered
    answers: str

    @property
    def response_to(self) -> str:
        return self.answers

    @classmethod
    def answering(
        cls, message: Message, responses: Sequence[str], *, branch: str = "", passed_on_to: Sequence[str] = ()
    ) -> ResponseMessage:
        """The answer to ``message`` from the cell where it is now.

        Of a response it is the response itself, with other content.

        :param responses: JSON texts of :class:`Response`
        :param branch: the neighbor whose branch has answered, if this cell streams what that one gathered
        :param passed_on_to: the neighbors that answer to the source by themselves, or through this cell
        """
        # Receivers read nothing from orig_message but Nova's insists on a JSON text.
        original = json.dumps({"uuid": message.id, "method_name": message.method})
        kwargs: dict[str, Any] = {"orig_message": original, "responses": list(responses)}
        if branch:
            kwargs["branch"] = branch
        if passed_on_to:
            kwargs["passed_on_to"] = list(passed_on_to)
        if isinstance(message, ResponseMessage):
            return message.but(kwargs=kwargs, payload=None)
        target = message.return_path
        return cls(
            method=METHOD,
            kwargs=kwargs,
            context=message.context,
            route=target[:1],
            target=target,
            direction=message.direction.opposite,
            max_hop_count=message.max_hop_count,
            reply_server=message.reply_server,
            reply_to=message.reply_to,
            traceparent=message.traceparent,
            trace=message.trace,
            answers=message.id,
            # Who asks in the oldest form may have gone back to a release that reads no other.
            form="" if message.reply_server else versions.OLDEST,
        )

    def forwarded_by(self, direction: Direction) -> Self:
        # Only one manager of the source cell waits. Who that is may not be known, or not be told on the last link.
        is_last_hop = len(self.route) + 1 == len(self.target)
        return self.but(direction=direction, fanout=is_last_hop)

    def server(self, version: str) -> str:
        return self.reply_server if self.fanout and versions.speaks(version, versions.REPLY_SERVER) else ""

    def client_reply(self, version: str) -> ClientReply | None:
        is_last_hop = self.fanout
        # A trace is completed by the manager that asked for it.
        if not is_last_hop or self.trace is not None or not versions.speaks(version, self.reply_to_since):
            return None
        address, value = ReplyAddress.parse(self.reply_to), self._value_text()
        return None if address is None or value is None else ClientReply(self.message_type, version, address, value)

    def _value_text(self) -> str | None:
        """What the endpoint returned, as JSON; None if that is not all that there is to the answer.

        An error is none: the manager that asked knows which ones its clients may be told.
        """
        try:
            (text,) = super().opened().kwargs["responses"]
            data = json.loads(text)
            return to_text(data["value"]) if data["failure"] is False else None
        except (KeyError, TypeError, ValueError, RecursionError, exceptions.MessageError):
            return None

    def answered(self) -> Self:
        """The message once the client has been sent the answer itself: to its manager, which waits no longer."""
        return self.but(kwargs={**self.opened().kwargs, "responses": [ANSWERED]}, payload=None, reply_to="")

    def opened(self) -> Self:
        message = super().opened()
        if message.trace is None or message.route != message.target:
            return message
        # At its end what was noted on both ways becomes part of the answer.
        responses = message.kwargs.get("responses")
        if not isinstance(responses, list):
            return message
        # A call that is traced has one answer; to write a long trace into many would be a way to fill our memory.
        noted = [_with_trace(text, message.trace) for text in responses] if len(responses) == 1 else responses
        return message.but(trace=None, kwargs={**message.kwargs, "responses": noted})

    def contents(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return super().contents() if self.trace is None else Message.contents(self.opened())

    def head(self, version: str) -> dict[str, Any]:
        # An answer has an older form, the one without a trace.
        message = self if versions.speaks(version, versions.TRACE) else self.but(trace=None)
        return {**super(ResponseMessage, message).head(version), "response_uuid": self.answers}

    @classmethod
    def _fields(cls, data: Mapping[str, Any], default_max_hop_count: int, now: float) -> dict[str, Any]:
        fields = super()._fields(data, default_max_hop_count, now)
        # An answer to an answer would travel for ever; and what it costs to pass one on is spent by now.
        return {**fields, "needs_response": False, "deadline": None, "answers": want_name(data, "response_uuid")}


def _with_trace(text: object, trace: Sequence[Mapping[str, Any]]) -> object:
    try:
        data = json.loads(text) if isinstance(text, str) else None
        return to_text({**data, "trace": trace}) if isinstance(data, dict) else text
    except (ValueError, RecursionError):
        # Who waits for it will hear what is wrong with it.
        return text
