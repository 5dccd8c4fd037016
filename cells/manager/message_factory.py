"""Messages of which this cell is the source, made from the requests of its services."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from cells import exceptions, versions
from cells.context import get_admin_context
from cells.counters import Counters
from cells.messages import BroadcastMessage, Content, TargetedHeader, TargetedMessage
from cells.neighbors import Direction, NeighborTable
from cells.neighbors.topology import Topology
from cells.path import MAX_NAME_LENGTH, CellPath
from cells.routing.outcomes import Outcomes
from cells.services.validation import want
from cells.worker_threads import new_id

LOG = logging.getLogger(__name__)

#: Bound of the headers that are remembered.  If more are used, all are forgotten.
MAX_HEADERS = 256

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

    def __post_init__(self) -> None:
        self._headers: dict[tuple[object, ...], TargetedHeader] = {}

    def counting_refusals(self, kind: str, lost_as: str = "") -> CountedRefusals:
        """Count and log an error of a ``with`` block, before the message is sent.

        The sender of a cast gets no other sign of it.

        :param lost_as: the kind of a message whose sender does not get the error; empty: its sender gets the error
        """
        return CountedRefusals(self.counters, self.outcomes, kind, lost_as)

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
        context = _context(ctxt)
        return TargetedMessage(
            header=self._header(
                want(method, str, "method_name"),
                target,
                Direction.UP if goes_up else Direction.DOWN,
                needs_response=needs_response,
            ),
            id=self.new_id() if message_id is None else _want_id(message_id),
            payload=Content(want(kwargs, dict, "method_kwargs"), context),
            traceparent=_traceparent(context.get("traceparent")),
            about=about,
        )

    def _header(self, method: str, target: CellPath, direction: Direction, *, needs_response: bool) -> TargetedHeader:
        """Return the header of messages to one cell; those of one method share it, and what is written for it."""
        key = (method, target, direction, needs_response)
        header = self._headers.get(key)
        if header is None:
            header = TargetedHeader(
                method=method,
                direction=direction,
                needs_response=needs_response,
                route=CellPath([self.topology.cell_name]),
                max_hop_count=self.max_hop_count,
                target=target,
            )
            if len(self._headers) >= MAX_HEADERS:
                self._headers.clear()
            if len(method) <= MAX_NAME_LENGTH:
                self._headers[key] = header
        return header

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
        context = _context(ctxt)
        return BroadcastMessage.new(
            id=self.new_id(),
            method=want(method, str, "method_name"),
            kwargs=want(kwargs, dict, "method_kwargs"),
            context=context,
            traceparent=_traceparent(context.get("traceparent")),
            route=CellPath([self.topology.cell_name]),
            direction=want_direction(direction),
            needs_response=needs_response,
            run_locally=run_locally,
            max_hop_count=self.max_hop_count,
        )


class CountedRefusals:
    """Counts and logs an error of its ``with`` block; see :meth:`OutgoingMessages.counting_refusals`."""

    __slots__ = ("_counters", "_kind", "_lost_as", "_outcomes")

    def __init__(self, counters: Counters, outcomes: Outcomes, kind: str, lost_as: str) -> None:
        self._counters = counters
        self._outcomes = outcomes
        self._kind = kind
        self._lost_as = lost_as

    def __enter__(self) -> None:
        """Do nothing: only an error is of interest."""

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, exceptions.CellsError):
            self._counters.count("refused", type(error).__name__)
            if self._lost_as:
                self._outcomes.refused(self._lost_as, error)
            LOG.info("A %s from a service of this cell is refused: %s", self._kind, error.message)


def _context(ctxt: object) -> Mapping[str, Any]:
    return ctxt if isinstance(ctxt, Mapping) else {}


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
