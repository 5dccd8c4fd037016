"""The way back: answers on their way to the cell that asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from cells import exceptions, failure
from cells.messages.base import Message, to_text, want_name
from cells.messages.targeted import TargetedMessage
from cells.neighbors import Direction

if TYPE_CHECKING:
    from typing_extensions import Self

METHOD = "parse_responses"


@dataclass(frozen=True)
class Response:
    """What one cell answered: a value, or the error that was raised there.

    It travels as a JSON text within a ResponseMessage, which relays pass on unread.
    """

    cell: str  #: the way from the source to the answering cell
    value: Any = None
    error: Exception | None = None

    def to_json(self) -> str:
        """:raises cells.exceptions.InvalidArguments: the value has no JSON form"""
        has_failed = self.error is not None
        value = failure.to_json(self.error) if self.error is not None else self.value
        try:
            return to_text({"cell_name": self.cell, "value": value, "failure": has_failed})
        except (TypeError, ValueError, RecursionError) as error:
            raise exceptions.InvalidArguments(f"The answer can not be written as JSON: {error}") from error

    @classmethod
    def from_json(cls, text: str, allowed_modules: Sequence[str]) -> Response:
        """:raises cells.exceptions.MalformedMessage: it is not such a text"""
        try:
            data = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise exceptions.MalformedMessage(f"An answer can not be read: {error}") from error
        if not isinstance(data, dict) or not isinstance(data.get("cell_name"), str):
            raise exceptions.MalformedMessage("An answer must be an object with 'cell_name', 'value' and 'failure'.")
        if data.get("failure"):
            return cls(data["cell_name"], error=failure.from_json(data.get("value"), allowed_modules))
        return cls(data["cell_name"], value=data.get("value"))

    @classmethod
    def read(cls, text: str, allowed_modules: Sequence[str]) -> Response:
        """As :meth:`from_json`, but what can not be read is an answer with that error; never raises."""
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

    #: id of the message that is answered
    answers: str

    @property
    def response_to(self) -> str:
        return self.answers

    @classmethod
    def answering(cls, message: Message, responses: Sequence[str]) -> ResponseMessage:
        """The answer to ``message`` from the cell where it is now.

        Of a response it is the response itself, with other content.

        :param responses: JSON texts of :class:`Response`
        """
        # Receivers read nothing from orig_message but Nova's insists on a JSON text.
        original = json.dumps({"uuid": message.id, "method_name": message.method})
        if isinstance(message, ResponseMessage):
            return replace(message, kwargs={"orig_message": original, "responses": list(responses)})
        target = message.return_path
        return cls(
            method=METHOD,
            kwargs={"orig_message": original, "responses": list(responses)},
            context=message.context,
            route=target[:1],
            target=target,
            direction=message.direction.opposite,
            max_hop_count=message.max_hop_count,
            answers=message.id,
        )

    def forwarded_by(self, direction: Direction) -> Self:
        # Only one manager of the source cell waits, and nobody else knows which.
        is_last_hop = len(self.route) + 1 == len(self.target)
        return replace(self, direction=direction, fanout=is_last_hop)

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "response_uuid": self.answers}

    @classmethod
    def _fields(cls, data: Mapping[str, Any], default_max_hop_count: int) -> dict[str, Any]:
        fields = super()._fields(data, default_max_hop_count)
        # An answer to an answer would travel for ever.
        return {**fields, "needs_response": False, "answers": want_name(data, "response_uuid")}
