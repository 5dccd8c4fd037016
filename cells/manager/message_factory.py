"""Messages of which this cell is the source, made from the requests of its services."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cells import exceptions, versions
from cells.context import get_admin_context
from cells.counters import Counters
from cells.messages import BroadcastMessage, TargetedMessage
from cells.neighbors import Direction, NeighborTable
from cells.neighbors.topology import Topology
from cells.path import MAX_NAME_LENGTH, CellPath
from cells.routing.outcomes import Outcomes
from cells.services.validation import want
from cells.worker_threads import new_id

LOG = logging.getLogger(__name__)

#: W3C Trace Context, version 00: ids of the trace and of the span that asks, and flags.
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(kw_only=True, eq=False, repr=False)
class OutgoingMessages:
    """Factory of the messages of which this cell is the source."""

    topology: Topology
    table: NeighborTable
    counters: Counters
    max_hop_count: int
    outcomes: Outcomes = field(default_factory=Outcomes)
    new_id: Callable[[], str] = new_id

    @contextlib.contextmanager
    def counting_refusals(self, kind: str, lost_as: str = "") -> Iterator[None]:
        """Count and log an error before the message is sent: the sender of a cast gets no other sign of it.

        :param lost_as: the kind of a message whose sender does not get the error; empty: its sender gets the error
        """
        try:
            yield
        except exceptions.CellsError as error:
            self.counters.count("refused", type(error).__name__)
            if lost_as:
                self.outcomes.refused(lost_as, error)
            LOG.info("A %s from a service of this cell is refused: %s", kind, error.message)
            raise

    def targeted(  # noqa: PLR0913  # one argument per key of the message
        self,
        ctxt: object,
        cell_name: str,
        method: object,
        kwargs: object,
        *,
        needs_response: bool,
        message_id: object = None,
        about: str = "",
    ) -> TargetedMessage:
        """A call or cast to one cell, a name or a full path.

        :param message_id: the id of a message that is sent again
        :param about: text that errors and the log add to the name of the method
        :raises cells.exceptions.RoutingError: no route to that cell is known
        :raises cells.exceptions.InvalidArguments: an argument has a wrong type
        """
        target = self.topology.walk_to(cell_name)
        # A walk that starts upward may turn downward later; the opposite does not exist.
        goes_up = len(target) > 1 and target[1] in self.table.snapshot().parents
        return TargetedMessage.new(
            target=target,
            direction=Direction.UP if goes_up else Direction.DOWN,
            about=about,
            id=self.new_id() if message_id is None else _want_id(message_id),
            **self._request(ctxt, method, kwargs, needs_response=needs_response),
        )

    def to_neighbor(
        self, neighbor: str, direction: Direction, method: str, kwargs: Mapping[str, Any], **options: Any
    ) -> TargetedMessage:
        """A message that this cell sends to a neighbor on its own account, or to have a request run there.

        :param options: context, and other fields of :class:`cells.messages.TargetedMessage`
        """
        here = CellPath([self.topology.cell_name])
        return TargetedMessage.new(
            id=self.new_id(),
            method=method,
            kwargs=kwargs,
            route=here,
            target=here.child(neighbor),
            direction=direction,
            max_hop_count=self.max_hop_count,
            **options,
        )

    def about_cells(
        self, neighbor: str, direction: Direction, method: str, kwargs: Mapping[str, Any], **options: Any
    ) -> TargetedMessage:
        """A message of :meth:`to_neighbor` about the cells themselves, in the oldest form.

        Neighbors read it before their versions are known, and an upgraded one may go back to an older release.
        """
        return self.to_neighbor(
            neighbor,
            direction,
            method,
            kwargs,
            context=get_admin_context().to_dict(),
            version_cap=versions.OLDEST,
            **options,
        )

    def broadcast(  # noqa: PLR0913  # one argument per key of the message
        self,
        ctxt: object,
        method: object,
        kwargs: object,
        direction: str,
        *,
        needs_response: bool = True,
        run_locally: bool = True,
    ) -> BroadcastMessage:
        """A call or cast to all cells above or below.

        :raises cells.exceptions.InvalidArguments: an argument has a wrong type
        """
        return BroadcastMessage.new(
            id=self.new_id(),
            direction=want_direction(direction),
            run_locally=run_locally,
            **self._request(ctxt, method, kwargs, needs_response=needs_response),
        )

    def _request(self, ctxt: object, method: object, kwargs: object, *, needs_response: bool) -> dict[str, Any]:
        context = ctxt if isinstance(ctxt, Mapping) else {}
        return {
            "method": want(method, str, "method_name"),
            "kwargs": want(kwargs, dict, "method_kwargs"),
            "context": context,
            "traceparent": _traceparent(context.get("traceparent")),
            "route": CellPath([self.topology.cell_name]),
            "needs_response": needs_response,
            "max_hop_count": self.max_hop_count,
        }


def _traceparent(text: object) -> str:
    """Return the trace context in a request context if it has W3C's form, else an empty text."""
    return text if isinstance(text, str) and TRACEPARENT.fullmatch(text) else ""


def want_direction(direction: object) -> Direction:
    """Return the direction of a broadcast.

    :raises cells.exceptions.InvalidArguments: it is neither up nor down
    """
    try:
        return Direction(direction)
    except ValueError as error:
        raise exceptions.InvalidArguments(f"The direction must be up or down, not {direction!r:.40}.") from error


def _want_id(message_id: object) -> str:
    text = want(message_id, str, "message_id")
    if not text or len(text) > MAX_NAME_LENGTH or not text.isprintable():
        raise exceptions.InvalidArguments(
            f"message_id must be 1 to {MAX_NAME_LENGTH} printable characters, not {text!a:.60}."
        )
    return text
