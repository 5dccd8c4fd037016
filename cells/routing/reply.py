"""Replies: the answers that a cell gives to a message, and the sinks that take the replies.

A message that arrives, or that a service of this cell sends, has one sink.  Each answer to the message, from this cell
or from another cell, goes to that sink as a :class:`Reply`.  The values within stay JSON texts until the manager reads
them for its client.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cells import exceptions
from cells.messages import EncodedResponse, Response

#: On the wire, the only response of a reply of kind DELIVERED.
DELIVERED_TEXT = '{"answered": true}'


class Kind(enum.Enum):
    """The meaning of a reply."""

    #: the responses are the answer
    ANSWER = enum.auto()
    #: the answer will still come
    WORKING = enum.auto()
    #: the client has the value already, so its manager stops waiting
    DELIVERED = enum.auto()


class Reply(NamedTuple):
    """One answer to a message, or a sign that the answer will still come."""

    kind: Kind = Kind.ANSWER
    #: one for each cell that has answered.  DELIVERED has a response, too: a caller that has named no client to be
    #: answered directly reads it as an error
    responses: tuple[EncodedResponse, ...] = ()
    #: the neighbors of the answering cell to which the broadcast was forwarded, and that answer by themselves
    passed_on_to: tuple[str, ...] = ()
    #: the neighbor whose branch has given the responses, if the sending cell streams them on behalf of that neighbor
    branch: str = ""

    @classmethod
    def from_wire(cls, texts: Sequence[str], passed_on_to: Sequence[str] = ()) -> Reply:
        """Return the reply that the arguments of ``parse_responses`` stand for.

        :param texts: ``responses``
        """
        if not texts:
            return cls(Kind.WORKING, (), tuple(passed_on_to))
        kind = Kind.DELIVERED if len(texts) == 1 and texts[0] == DELIVERED_TEXT else Kind.ANSWER
        return cls(kind, tuple([EncodedResponse(text) for text in texts]), tuple(passed_on_to))

    def to_wire(self) -> list[str]:
        """Return the argument ``responses`` of ``parse_responses``."""
        return [response.text for response in self.responses]

    def read_one(self, allowed_modules: Sequence[str]) -> Response:
        """Return the response of the only cell that was asked; its error says if there is none, or several."""
        if len(self.responses) != 1:
            text = f"One answer was expected, {len(self.responses)} came."
            return Response("", error=exceptions.MalformedMessage(text))
        return self.responses[0].read(allowed_modules)

    def read_all(self, allowed_modules: Sequence[str]) -> list[Response]:
        """Return the responses of all cells; one that cannot be read is a response with that error."""
        return [response.read(allowed_modules) for response in self.responses]


WORKING = Reply(Kind.WORKING)
DELIVERED = Reply(Kind.DELIVERED, (EncodedResponse(DELIVERED_TEXT),))


class Sink(Protocol):
    """The place to which the replies to one message go."""

    def take(self, reply: Reply) -> None:
        """Take a reply: ANSWER or DELIVERED at most once for each part of the answer, WORKING any number of times.

        Called on any thread.  Must not block.
        """


class _LogOnly:
    """Sink of a message that has no caller: errors are logged by :func:`settle`, and replies are dropped."""

    def take(self, reply: Reply) -> None:
        """Drop the reply."""


#: The only one of its kind, so that ``sink is LOG_ONLY`` says that no caller waits.
LOG_ONLY: Sink = _LogOnly()


class ToCaller:
    """Sink of a message of this cell's manager: the final reply completes a future."""

    def __init__(self) -> None:
        self.future: futures.Future[Reply] = futures.Future()

    def take(self, reply: Reply) -> None:
        self.future.set_result(reply)


@dataclass(frozen=True)
class Branch:
    """Sink of the branch of one neighbor that cannot answer to the source by itself."""

    sink: Sink
    neighbor: str

    def take(self, reply: Reply) -> None:
        self.sink.take(reply._replace(branch=self.neighbor))


@dataclass(frozen=True)
class Joined:
    """Sink of an answer that contains the responses of further cells."""

    sink: Sink
    responses: tuple[EncodedResponse, ...]

    def take(self, reply: Reply) -> None:
        self.sink.take(reply._replace(responses=reply.responses + self.responses))


@dataclass(frozen=True)
class Forwarded:
    """Sink of this cell's own answer to a broadcast that neighbors answer, too: the answer names them."""

    sink: Sink
    passed_on_to: tuple[str, ...]

    def take(self, reply: Reply) -> None:
        self.sink.take(reply._replace(passed_on_to=self.passed_on_to))


def settle(sink: Sink, response: Response) -> None:
    """Give ``sink`` the response of this cell to a message; a value that has no JSON form becomes an error."""
    if sink is LOG_ONLY:
        return
    try:
        encoded = response.encoded()
    except exceptions.MessageError as error:
        encoded = Response(response.cell, error=error, trace=response.trace).encoded()
    sink.take(Reply(Kind.ANSWER, (encoded,)))
