"""The answers that a cell gives in place of others: of a silent neighbor, and of one that is too long to be sent."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from cells import exceptions, versions
from cells.messages import Message, Response, ResponseMessage

LOG = logging.getLogger(__name__)


def excess(message: Message, response: ResponseMessage, answers: Sequence[str], limit_bytes: int) -> str | None:
    """What stands for ``answers`` to ``message`` if ``response`` is too long with them; None if it is not."""
    # Within the message the texts are escaped once more, which makes them longer.
    if sum(map(len, answers)) <= limit_bytes // 4:
        return None
    try:
        response.sealed(versions.OLDEST, limit_bytes)
    except exceptions.MessageTooLarge as error:
        too_large = exceptions.MessageTooLarge(
            f"The answer of cell {message.here} to {message.method} cannot be sent: {error.message}",
            cell=message.here,
            **error.kwargs,
        )
        LOG.info("%s", too_large.message)
        return Response(str(message.route), error=too_large).to_json()
    return None


def silence(message: Message, level: int, part: str, is_stopping: bool) -> str:  # of partial
    """The answer that stands for a neighbor that gave none in time.

    :param level: of the line in the log
    """
    path, here = message.missing(part), message.here
    LOG.log(level, "Cell %s did not answer %s in time.", path, message.title)
    error: exceptions.CellsError
    if is_stopping:
        error = exceptions.ManagerStopping(
            f"The manager of cell {here} was stopped before cell {path} answered {message.title}: it may run, or "
            "have run.",
            cell=here,
        )
    else:
        error = exceptions.CellTimeout(
            f"Cell {path} did not answer {message.title} in time: "
            "check that cells-manager runs there, on the way, and behind it.",
            cell=str(path),
        )
    return Response(str(path), error=error).to_json()
