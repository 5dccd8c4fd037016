"""Operation: one message as its sender saw it, and the lines in which the sender writes it down."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import oslo_messaging

from cells import exceptions
from cells.rpcapi.group_commit import OutcomeUnknown


@dataclass(frozen=True)
class Failure:
    """An error at the sender.

    :param error: the name of its class
    :param is_refusal: whether the error says that the message was not delivered, so that it must not have run
    """

    error: str
    text: str
    is_refusal: bool

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Describe an error that a client has raised."""
        is_undelivered = isinstance(error, (oslo_messaging.MessageDeliveryFailure, exceptions.DeliveryError))
        return cls(type(error).__name__, str(error)[:500], is_undelivered and not any(map(_is_unsure, _causes(error))))


@dataclass(frozen=True)
class Answer:
    """The answer of one cell to a broadcast."""

    cell: str
    failure: Failure | None = None


@dataclass(frozen=True)
class Outcome:
    """The end of an operation: a value, or an error.

    :param value: the value of a call
    :param ended_at: by the monotonic clock
    """

    ended_at: float
    value: Any = None
    failure: Failure | None = None
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One message.

    :param began_at: by the monotonic clock, as all times of a drill
    :param outcomes: exactly one, unless something is wrong
    """

    number: str
    kind: str
    source: str
    began_at: float
    outcomes: tuple[Outcome, ...] = ()

    @property
    def failure(self) -> Failure | None:
        """The error at the sender; None also without an outcome."""
        return next((outcome.failure for outcome in self.outcomes), None)

    @property
    def is_accepted(self) -> bool:
        """Whether the sender has an outcome and no error."""
        return bool(self.outcomes) and self.failure is None

    def answers(self) -> Iterator[Answer]:
        """Yield the answers of a broadcast call."""
        for outcome in self.outcomes:
            yield from outcome.answers

    def line(self) -> dict[str, Any]:
        """Return the operation as JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def read(cls, line: dict[str, Any]) -> Operation:
        """Return the operation of a line."""
        outcomes = tuple(
            Outcome(
                outcome["ended_at"],
                outcome["value"],
                _failure(outcome["failure"]),
                tuple(Answer(answer["cell"], _failure(answer["failure"])) for answer in outcome["answers"]),
            )
            for outcome in line["outcomes"]
        )
        return cls(**{**line, "outcomes": outcomes})


def _failure(found: dict[str, Any] | None) -> Failure | None:
    return None if found is None else Failure(**found)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _is_unsure(error: BaseException) -> bool:
    return isinstance(error, OutcomeUnknown) or bool(getattr(error, "may_arrive", False))
