"""The kinds of messages of the load, their rates, and the cells that each must reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Timeout of every call, in seconds.
TIMEOUT_SECONDS = 8.0


@dataclass(frozen=True)
class Kind:
    """One kind of message.

    :param name: as in the table
    :param is_call: whether the sender waits for an answer
    :param is_broadcast: whether it goes to all cells in one direction
    """

    name: str
    is_call: bool
    is_broadcast: bool = False


#: ``rcall`` and ``rcast``: to a service, with cells.rpc.  ``ecall`` and ``ecast``: to an endpoint, with CellsAPI.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("rcall", is_call=True),
        Kind("ecall", is_call=True),
        Kind("rcast", is_call=False),
        Kind("ecast", is_call=False),
        Kind("bcall", is_call=True, is_broadcast=True),
        Kind("bcast", is_call=False, is_broadcast=True),
    )
}

#: Messages per second and kind from each of the two clients, 19 in total.
NORMAL_RATES: Mapping[str, float] = {"rcall": 2.5, "ecall": 2.5, "rcast": 6, "ecast": 6, "bcall": 1, "bcast": 1}
#: 60 casts per second from each of the two clients.
BURST_RATES: Mapping[str, float] = {"rcast": 30, "ecast": 30}


@dataclass(frozen=True)
class Source:
    """A cell with a client, and the ways of its messages.

    :param cell: the name of the client's cell
    :param target: the full path of the cell to which calls and casts go
    :param direction: of broadcasts
    :param before: each cell that a broadcast reaches -> the cell before it on the way; the client's cell -> ""
    """

    cell: str
    target: str
    direction: str
    before: Mapping[str, str]

    def cells(self, kind: str) -> frozenset[str]:
        """Return the names of the cells in which a message of this kind must run."""
        return frozenset(self.before) if KINDS[kind].is_broadcast else frozenset({self.target.rpartition("!")[2]})


SOURCES: Mapping[str, Source] = {
    source.cell: source
    for source in (
        Source("api", "api!east!az1", "down", {"api": "", "east": "api", "west": "api", "az1": "east", "az2": "east"}),
        Source("az1", "api!west", "up", {"az1": "", "east": "az1", "api": "east"}),
    )
}
