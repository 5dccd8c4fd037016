"""Answers: the response of one cell, and the message that carries responses back to the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from cells import exceptions, failure, versions
from cells.messages.base import Content, Message
from cells.messages.header import Header, Hop
from cells.messages.kinds import ANSWER, INTERNAL
from cells.messages.targeted import TargetedHeader, TargetedMessage
from cells.messages.wire import to_text
from cells.neighbors import Direction
from cells.worker_threads import new_id

if TYPE_CHECKING:
    from typing_extensions import Self

METHOD = "parse_responses"


@dataclass(frozen=True)
class Response:
    """The answer of one cell, read: the value that its endpoint returned, or the error that it raised."""

    cell: str  #: the path from the source to the answering cell
    value: Any = None
    error: Exception | None = None
    #: events that cells have recorded about the call and this answer, if the call asked for a trace
    trace: Sequence[Mapping[str, Any]] = ()
    #: of an error of this cell: names the log record that has its traceback
    log_id: str = field(default="", compare=False)
    #: of an error of this cell: the traceback travels, too
    with_traceback: bool = field(default=False, compare=False)

    def encoded(self) -> EncodedResponse:
        """Return the response as it travels.

        :raises cells.exceptions.InvalidArguments: the value has no JSON form
        """
        has_failed = self.error is not None
        try:
            value = to_text(self._failure(self.error) if self.error is not None else self.value)
            trace = f', "trace": {to_text(self.trace)}' if self.trace else ""
        except BaseException as error:  # the methods of a value of an endpoint may raise anything
            reason = failure.text_of(error)
            raise exceptions.InvalidArguments(f"The answer cannot be written as JSON: {reason}") from error
        failed = "true" if has_failed else "false"
        text = f'{{"cell_name": {to_text(self.cell)}, "value": {value}, "failure": {failed}{trace}}}'
        return EncodedResponse(text, None if has_failed else value)

    def _failure(self, error: Exception) -> str:
        return failure.to_json(error, with_traceback=self.with_traceback, log_id=self.log_id)

    def to_json(self) -> str:
        """Return the text of :meth:`encoded`."""
        return self.encoded().text

    @classmethod
    def from_json(cls, text: str, allowed_modules: Sequence[str]) -> Response:
        """Read the text of an encoded response.

        :param allowed_modules: modules whose exceptions may be rebuilt
        :raises cells.exceptions.MalformedMessage: the text is no response
        """
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
        """Read as :meth:`from_json`, but never raise: a text that is no response becomes a response with that error."""
        try:
            return cls.from_json(text, allowed_modules)
        except exceptions.MalformedMessage as error:
            return cls("", error=error)


class _Outcome(msgspec.Struct):
    """The two keys of an encoded response that decide whether its value may be sent to a client; the value unread."""

    value: msgspec.Raw
    failure: bool


_OUTCOME = msgspec.json.Decoder(_Outcome)
_JSON = msgspec.json.Decoder()


class EncodedResponse(NamedTuple):
    """A response as JSON text, made here or received from another cell, which passes through cells unread.

    Its text is one item of the argument ``responses`` of a ResponseMessage.
    """

    text: str
    #: JSON text of the value, if this cell has encoded one; None of an error and of a text that was received
    value: str | None = None

    def read(self, allowed_modules: Sequence[str]) -> Response:
        """Return the response; see :meth:`Response.read`."""
        return Response.read(self.text, allowed_modules)


@dataclass(frozen=True, kw_only=True)
class ResponseHeader(TargetedHeader):
    """Header of an answer, on its way to the cell that waits for it."""

    message_type: ClassVar[str] = "response"
    may_wait_for_room: ClassVar[bool] = False
    may_have_unknown_sender: ClassVar[bool] = True

    #: whether it answers a message of a cell about itself.  Not sent
    is_internal: bool = field(default=False, compare=False)

    @property
    def kind(self) -> str:
        return INTERNAL if self.is_internal else ANSWER

    @classmethod
    def answering(cls, asked: Header) -> ResponseHeader:
        """Return the header of the answers to messages with the header ``asked``."""
        header: ResponseHeader | None = asked.derived.get(cls)
        if header is None:
            target = asked.return_path
            header = asked.derived[cls] = cls(
                method=METHOD,
                route=target[:1],
                target=target,
                direction=asked.direction.opposite,
                max_hop_count=asked.max_hop_count,
                reply_server=asked.reply_server,
                # A source that asks in the oldest form may have gone back to a release that reads no other form.
                version_cap="" if asked.reply_server else versions.OLDEST,
                is_internal=asked.kind == INTERNAL,
            )
        return header

    def _forwarded(self, direction: Direction) -> Self:
        # Only one manager of the source waits. The answer may not name it, and the last link may not be able to.
        is_last_hop = len(self.route) + 1 == len(self.target)
        return replace(self, direction=direction, fanout=is_last_hop)

    def server(self, version: str) -> str:
        return self.reply_server if self.fanout and versions.speaks(version, versions.REPLY_SERVER) else ""

    @classmethod
    def read(cls, data: Mapping[str, Any], default_max_hop_count: int) -> Self:
        # An answer to an answer would travel for ever.
        return replace(super().read(data, default_max_hop_count), needs_response=False)


@dataclass(frozen=True, kw_only=True)
class ResponseMessage(TargetedMessage):
    """Message with the responses of one cell, or of a whole branch, to the source."""

    header_class: ClassVar[type[Header]] = ResponseHeader
    message_type: ClassVar[str] = ResponseHeader.message_type
    is_answer: ClassVar[bool] = True
    reply_to_since: ClassVar[str] = versions.REPLY_TO_IN_ANSWERS

    header: ResponseHeader
    #: the only value as JSON text, if this cell has encoded the value; not sent
    value: str | None = field(default=None, compare=False)
    #: whether it stands for an answer that could not be delivered; not sent
    is_substitute: bool = field(default=False, compare=False)

    def substitute(self, error: exceptions.CellsError) -> Self:
        """Return the message with an error in place of the answer, which cannot be delivered because of that error."""
        try:
            kwargs = dict(self.content().kwargs)
        except exceptions.MessageError:
            kwargs = {}
        response = Response(str(self.header.target.reversed()), error=error).encoded()
        context = self.payload.context if isinstance(self.payload, Content) else {}
        payload = Content({**kwargs, "responses": [response.text]}, context)
        return replace(self, payload=payload, value=None, reply_to="", is_substitute=True)

    @classmethod
    def answering(
        cls,
        message: Message,
        responses: Sequence[EncodedResponse],
        branch: str = "",
        passed_on_to: Sequence[str] = (),
        new_id: Callable[[], str] = new_id,
    ) -> ResponseMessage:
        """Return the answer to ``message`` from the cell where ``message`` is now.

        The answer to a response is that response with other content.

        :param branch: the neighbor whose branch has answered, if this cell streams the answers of that branch
        :param passed_on_to: the neighbors that answer to the source by themselves, or through this cell
        :param new_id: returns the id of the answer
        """
        # Receivers read nothing from orig_message, but Nova's service insists on a JSON text.
        original = f'{{"uuid": {to_text(message.id)}, "method_name": {to_text(message.method)}}}'
        kwargs: dict[str, Any] = {"orig_message": original, "responses": [response.text for response in responses]}
        if branch:
            kwargs["branch"] = branch
        if passed_on_to:
            kwargs["passed_on_to"] = list(passed_on_to)
        # The context of an unread payload stays unread.
        content = Content(kwargs, message.payload.context if isinstance(message.payload, Content) else {})
        value = responses[0].value if len(responses) == 1 else None
        if isinstance(message, ResponseMessage):
            return replace(message, payload=content, value=value)
        return cls(
            header=ResponseHeader.answering(message.header),
            id=new_id(),
            payload=content,
            response_to=message.id,
            reply_to=message.reply_to,
            traceparent=message.traceparent,
            trace=message.trace,
            value=value,
        )

    def value_text(self) -> str | None:
        """Return the value that the endpoint returned, as JSON text; None if the answer is more than one value.

        An error is no value: the manager that asked knows which errors its clients may see.
        """
        if self.value is not None:
            return self.value
        try:
            (text,) = super().content().kwargs["responses"]
            # The first pass finds values that the client could not read: a number out of range, for example.
            _JSON.decode(text)
            outcome = _OUTCOME.decode(text)
        except (KeyError, TypeError, ValueError, msgspec.MsgspecError, RecursionError, exceptions.MessageError):
            return None
        return None if outcome.failure else bytes(outcome.value).decode()

    def delivered(self, notice: EncodedResponse) -> Self:
        """Return the notice to the manager that asked, after the client has been sent the value directly."""
        content = self.content()
        payload = Content({**content.kwargs, "responses": [notice.text]}, content.context)
        return replace(self, payload=payload, value=None, reply_to="")

    def content(self) -> Content:
        content = super().content()
        if self.trace is None or not self.is_at_target:
            return content
        # At its end the trace of both ways becomes part of the answer.  A traced call has one answer; to write a long
        # trace into many answers would be a way to fill this cell's memory.
        responses = content.kwargs.get("responses")
        if not isinstance(responses, list) or len(responses) != 1:
            return content
        return Content({**content.kwargs, "responses": [_with_trace(responses[0], self.trace)]}, content.context)

    def carries_trace(self, version: str) -> bool:
        # Unlike a request, an answer can go without its trace.
        return versions.speaks(version, versions.TRACE)


def for_client(message: Message, hop: Hop) -> ResponseMessage | None:
    """Return ``message`` as it leaves by ``hop``, if it is an answer whose value may go directly to the client."""
    if not isinstance(message, ResponseMessage) or not message.reply_to:
        return None
    # A fanout marks the last hop.  The manager that asked for a trace completes the trace.
    may_go = hop.header.fanout and message.trace is None and versions.speaks(hop.version, message.reply_to_since)
    return message.along(hop) if may_go else None


def _with_trace(text: object, trace: Sequence[Mapping[str, Any]]) -> object:
    try:
        data = json.loads(text) if isinstance(text, str) else None
        return to_text({**data, "trace": trace}) if isinstance(data, dict) else text
    except (ValueError, RecursionError):
        # The caller gets an error that says why the answer cannot be read.
        return text
