"""Ids of the messages that a request of a service causes: each manager that gets the request gives them the same ids.

If the connection of a manager breaks before RabbitMQ has its acknowledgement, or that of a client before it has the
broker's confirmation, a request may reach two managers of a cell.  Each copy has the id that oslo.messaging gave the
request.  So the copies cause messages of the same ids, and the manager of the target cell that has run one of them
drops the other.
"""

from __future__ import annotations

import contextvars
import itertools
from collections.abc import Iterator

_ids = contextvars.ContextVar[Iterator[str] | None]("request_ids", default=None)


def begin(unique_id: str | None) -> None:
    """Let :func:`next_id` count the messages of the request that this thread dispatches from now on.

    :param unique_id: of the request; None or empty: it has none, like a request without a broker
    """
    _ids.set(map(f"{unique_id}.{{}}".format, itertools.count()) if unique_id else None)


def next_id() -> str | None:
    """Return the id of the next message that the dispatched request causes; None: this thread dispatches none."""
    ids = _ids.get()
    return None if ids is None else next(ids)
