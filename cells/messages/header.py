"""The header of a message: the keys that every cell on the way reads, and the decision where the message goes next.

Messages of one batch mostly share their header, so a header is read, planned and written once for all of them; see
:mod:`cells.messages.relay`.  To add a key to the wire, declare its version in :mod:`cells.versions` and add a field
here: reading, writing and forwarding follow from the declaration of the field.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from cells import exceptions, versions
from cells.messages.kinds import kind_of
from cells.messages.memo import memo
from cells.messages.validation import (
    want_direction,
    want_flag,
    want_hop_count,
    want_max_hop_count,
    want_name,
    want_optional_name,
    want_path,
)
from cells.messages.wire import Form
from cells.neighbors import Direction, Neighbors
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath

if TYPE_CHECKING:
    from typing_extensions import Self

DEFAULT_MAX_HOP_COUNT = 10
#: The part of the answers that a cell gives itself; no neighbor has this name.
HERE = ""
#: Returns the version spoken with a neighbor, a key of :data:`cells.versions.HISTORY`.
Toward = Callable[[Neighbor], str]


@dataclass(frozen=True)
class Key:
    """Declaration of one key of the wire: its name, its reader and writer, and the version that brought it."""

    name: str
    #: returns the value of a key, or its default, from the keys of a message; raises MalformedMessage
    read: Callable[[Mapping[str, Any], str], Any]
    #: returns the JSON value
    write: Callable[[Any], Any]
    since: str
    #: the value that is not sent; None: the key is always sent
    omitted: object


def key(
    name: str,
    read: Callable[[Mapping[str, Any], str], Any],
    *,
    write: Callable[[Any], Any] | None = None,
    since: str = versions.OLDEST,
    omitted: object = None,
) -> Mapping[str, Key]:
    """Return the metadata of a field that travels as ``name``."""
    return {"key": Key(name, read, write or _unchanged, since, omitted)}


def _unchanged(value: object) -> object:
    return value


def _direction_text(direction: Direction) -> str:
    return direction.value


@dataclass(frozen=True, kw_only=True)
class Header:
    """Base of the headers of the three types of message."""

    message_type: ClassVar[str]
    #: whether a message may wait for room in a full send queue; an answer never waits, because the thread that reads
    #: answers serves all callers
    may_wait_for_room: ClassVar[bool] = True
    #: whether the message may come from a cell that is not registered under the name that it has for itself: an answer
    #: tells the caller about that mistake
    may_have_unknown_sender: ClassVar[bool] = False

    method: str = field(metadata=key("method_name", want_name))
    direction: Direction = field(metadata=key("direction", want_direction, write=_direction_text))
    needs_response: bool = field(default=False, metadata=key("need_response", want_flag))
    #: for every manager of the receiving cell, instead of any one of them
    fanout: bool = field(default=False, metadata=key("fanout", want_flag))
    #: the cells walked so far, source first, the cell where the message is now last
    route: CellPath = field(metadata=key("routing_path", want_path, write=str))
    hop_count: int = field(default=1, metadata=key("hop_count", want_hop_count))
    max_hop_count: int = field(default=DEFAULT_MAX_HOP_COUNT, metadata=key("max_hop_count", want_max_hop_count))
    #: the manager of the source that waits for the answer
    reply_server: str = field(
        default="", metadata=key("reply_server", want_optional_name, since=versions.REPLY_SERVER, omitted="")
    )
    #: the highest version in which the message leaves this cell; empty: the version of the link.  Not sent.
    version_cap: str = ""

    @property
    def here(self) -> str:
        """The cell where the message is now."""
        return self.route.last

    @property
    def is_at_source(self) -> bool:
        return len(self.route) == 1

    @property
    def is_at_target(self) -> bool:
        """Whether the message goes to no other cell from here."""
        return False

    @property
    def kind(self) -> str:
        """The kind of the message, for the ledger of losses; see :mod:`cells.messages.kinds`."""
        return kind_of(self.message_type, self.method, needs_response=self.needs_response)

    @property
    def return_path(self) -> CellPath:
        """The way that an answer walks from here."""
        raise NotImplementedError

    def missing(self, part: str) -> CellPath:
        """Return the cell whose answer is missing.

        :param part: a part of the awaited answers, as in :attr:`Plan.awaited`, or a path below that neighbor
        """
        return self.route.joined(CellPath.parse(part)) if part else self.route

    def check_sender(self, neighbors: Neighbors) -> None:
        """Check that the cell that sent the message here is a neighbor, and on the side from which the message comes.

        The route is not signed, so this finds mistakes, and messages that contradict themselves.

        :raises cells.exceptions.WrongLink: this cell has sent it there: the neighbor would speak for another one
        :raises cells.exceptions.UnregisteredSender: it is no neighbor of this cell
        :raises cells.exceptions.WrongDirection: a child sent the message down, or a parent sent it up
        """
        sender = self.route[-2]
        if len(self.route) > 2 and self.route[-3] == self.here:
            raise exceptions.WrongLink(
                f"A message came back to {self.here} from {sender}, by the route {self.route.as_route}: no message "
                "goes back to the cell from which it came.",
                cell=sender,
            )
        if sender in neighbors.toward(self.direction.opposite):
            return
        if sender in neighbors.toward(self.direction):
            kind, side = ("child", "parent") if self.direction is Direction.DOWN else ("parent", "child")
            raise exceptions.WrongDirection(
                f"A message that goes {self.direction.value} came to {self.here} from {sender}, its {kind}: register "
                f"{sender} as a {side} there, or {self.here} as a {kind} in {sender}.",
                cell=self.here,
            )
        if not self.may_have_unknown_sender:
            remedy = f'register it with "cells neighbor create {sender}", under its [cells] name'
            if sender == self.here:
                remedy = (
                    "either the URL of a neighbor leads to this cell itself, or a neighbor has the same [cells] name: "
                    'compare "cells neighbor list" with [DEFAULT] transport_url'
                )
            raise exceptions.UnregisteredSender(
                f"A message came to {self.here} from {sender}, which is not registered there: {remedy}.",
                cell=self.here,
                sender=sender,
            )

    def plan(self, neighbors: Neighbors, toward: Toward) -> Plan:
        """Return the work of this cell on the message.  Pure.

        :raises cells.exceptions.RoutingError: the message cannot reach its target
        """
        raise NotImplementedError

    def hop(self, neighbor: Neighbor, header: Header, answered_by: str, toward: Toward) -> Hop:
        """Return the hop of ``header`` to ``neighbor``, in the version spoken there or the lower cap of the message."""
        version = toward(neighbor)
        if self.version_cap:
            version = versions.lowest(version, self.version_cap)
        return Hop(neighbor, header, answered_by, version)

    def arrived_at(self, cell: str) -> Self:
        """Return the header once ``cell`` has received the message."""
        return replace(self, route=self.route.child(cell), hop_count=self.hop_count + 1)

    def addressed(self, server: str) -> Self:
        """Return the header of a message whose answer is addressed to the manager ``server``."""
        header: Self | None = self.derived.get(("reply_server", server))
        if header is None:
            header = self.derived["reply_server", server] = replace(self, reply_server=server)
        return header

    def server(self, version: str) -> str:  # noqa: ARG002  # subclasses depend on it
        """Return the one manager of the next cell that the message is for; empty if any or all may take it."""
        return ""

    @memo
    def derived(self) -> dict[object, Any]:
        """Memo of headers and forms made from this header; the messages of a batch share them with the header."""
        return {}

    def form(self, version: str) -> Form:
        """Return the header as it travels on a link that speaks ``version``."""
        form = self.derived.get(version)
        if form is None:
            form = self.derived[version] = self._form(version)
        return form

    def _form(self, version: str) -> Form:
        server = self.server(version)
        is_fanout = self.fanout and not server
        keys = {"message_type": self.message_type}
        for name, found in self.wire_keys().items():
            value = getattr(self, name)
            if versions.speaks(version, found.since) and (found.omitted is None or value != found.omitted):
                keys[found.name] = found.write(value)
        shared = (self.message_type, is_fanout, server, version, versions.speaks(version, versions.BATCHES))
        return Form(*shared, self.may_wait_for_room, self.kind, {**keys, "fanout": is_fanout}, shared)

    @classmethod
    def read(cls, data: Mapping[str, Any], default_max_hop_count: int) -> Self:
        """Build the header from the keys of the wire.  Unknown keys are ignored.

        :raises cells.exceptions.MalformedMessage: a key is missing or has a wrong type
        """
        if data.get("max_hop_count") is None:
            data = {**data, "max_hop_count": default_max_hop_count}
        return cls(**{name: found.read(data, found.name) for name, found in cls.wire_keys().items()})

    @classmethod
    @functools.cache
    def wire_keys(cls) -> Mapping[str, Key]:
        """Return the keys that this class reads and writes, by the name of the field."""
        return {found.name: found.metadata["key"] for found in dataclasses.fields(cls) if found.metadata}


@dataclass(frozen=True)
class Hop:
    """One step of a message: the neighbor that gets it, and the header with which it leaves."""

    neighbor: Neighbor
    header: Header
    #: the neighbor from which the answer comes, or :func:`cells.path.any_below` it
    answered_by: str
    #: the version in which the message travels
    version: str

    @property
    def form(self) -> Form:
        """The header as it travels."""
        return self.header.form(self.version)


@dataclass(frozen=True)
class Plan:
    """The work of this cell on a message."""

    run_here: bool = False
    hops: tuple[Hop, ...] = ()
    #: the neighbors whose answers this cell gathers, and HERE for its own; None: it gathers none
    awaited: tuple[str, ...] | None = None
    #: whether this cell sends answers on one by one as they arrive, instead of one list
    streams: bool = False


#: The plan of most messages at their target, made once.
RUN_HERE = Plan(run_here=True)
