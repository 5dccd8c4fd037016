"""The responses that a cell makes in place of a missing or refused answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from cells import exceptions, versions
from cells.counters import Counters
from cells.messages import EncodedResponse, Message, Response, ResponseMessage
from cells.path import CellPath
from cells.routing.outcomes import Outcomes


def too_late(message: Message, counters: Counters, outcomes: Outcomes) -> Response:
    """Log and count a message whose deadline has passed before it ran; return the response that says so."""
    counters.count("dropped", "late")
    outcomes.log_about(
        message,
        "late",
        "A %s message (%s) from %s is not run: its deadline has passed.",
        message.message_type,
        message.method,
        message.route.first,
    )
    return Response(
        str(message.route),
        error=exceptions.CellTimeout(
            f"Cell {message.here} did not run {message.title}, which came by the route {message.route.as_route}: its "
            "deadline had passed when it arrived, or when a thread was free to run it.",
            cell=str(message.route),
        ),
    )


def too_large(
    message: Message,
    answer: ResponseMessage,
    responses: Sequence[EncodedResponse],
    limit_bytes: int,
    outcomes: Outcomes,
) -> EncodedResponse | None:
    """Return the response that replaces ``responses`` to ``message``; None if they can be sent.

    :param answer: the message that carries ``responses``
    """
    # Within the message the texts are escaped once more, which makes them longer.
    if sum([len(response.text) for response in responses]) <= limit_bytes // 4:
        return None
    try:
        answer.sealed(versions.OLDEST, limit_bytes)
    except exceptions.MessageTooLarge as error:
        problem = exceptions.MessageTooLarge(
            f"The answer of cell {message.here} to {message.method} cannot be sent: {error.message}",
            cell=message.here,
            **error.kwargs,
        )
        outcomes.log_about(message, type(problem).__name__, "%s", problem.message)
        return Response(str(message.route), error=problem).encoded()
    return None


def not_asked(message: Message, cells: Sequence[CellPath], error: exceptions.CellsError) -> list[EncodedResponse]:
    """Return the responses of cells that did not get a broadcast, because a cell before them did not get it.

    :param cells: walks from the cell where the message is now
    """
    return [_not_asked(message.route.joined(cell), error) for cell in cells]


def _not_asked(route: CellPath, error: exceptions.CellsError) -> EncodedResponse:
    text = f"Cell {route.last} (route {route.as_route}) was not asked: {error.message}"
    return Response(str(route), error=type(error)(text, **{**error.kwargs, "cell": str(route)})).encoded()


def no_parts(_: str) -> Sequence[str]:
    """Return nothing: nothing is beyond the cell that a targeted message asks."""
    return ()


@dataclass(frozen=True)
class Silence:
    """Source of the responses that stand for the parts of a call that did not answer in time."""

    message: Message
    outcomes: Outcomes
    log_level: int = logging.INFO
    #: returns the parts of a broadcast that are reached only through a part, as far as they are known
    beyond: Callable[[str], Sequence[str]] = no_parts

    def responses(self, part: str, named: Collection[str], *, is_stopping: bool) -> tuple[EncodedResponse, ...]:
        """Log that ``part`` is silent; return the responses that stand for its answer and those of the cells beyond.

        :param named: the parts that have responses of their own
        :param is_stopping: the call is given up because the manager stops, and not at its deadline
        """
        unnamed = [deeper for deeper in self.beyond(part) if deeper not in named]
        return tuple([self._response(missing, is_stopping=is_stopping) for missing in (part, *unnamed)])

    def _response(self, part: str, *, is_stopping: bool) -> EncodedResponse:
        message = self.message
        route, here = message.missing(part), message.here
        missing = f"{route.last} (route {route.as_route})"
        text = "Cell %s did not answer %s in time."
        self.outcomes.log_about(message, "no answer", text, missing, message.title, level=self.log_level)
        error: exceptions.CellsError
        if is_stopping:
            error = exceptions.ManagerStopping(
                f"The manager of cell {here} was stopped before cell {missing} answered {message.title}: the call may "
                "run, or may have run.",
                cell=here,
            )
        else:
            error = exceptions.CellTimeout(
                f"Cell {missing} did not answer {message.title} in time: check that cells-manager runs there, and in "
                "each cell on the way to it.",
                cell=str(route),
            )
        return Response(str(route), error=error).encoded()
