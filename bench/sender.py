"""Messages in a cell's intercell queue, sent by the same code as a neighbor's messages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from cells import conf, versions
from cells.context import get_admin_context
from cells.drivers.base import DriverSettings
from cells.drivers.rpc import InterCellRPCAPI
from cells.messages import MESSAGE_TYPES
from cells.messages.targeted import TargetedMessage
from cells.messages.wire import SealedMessage
from cells.neighbors import Direction
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath

#: Size of a message that is sent alone, with head, context and arguments.
SIZE_BYTES = 1024
LIMIT_BYTES = 1024 * 1024
#: All numbers have the same number of digits, so that all messages have the same size.
FIRST_NUMBER = 100_000
QUEUE = "cells.intercell.targeted"
_CONTEXT = get_admin_context().to_dict()


def casts(route: Sequence[str], series: str, count: int, version: str = versions.CURRENT) -> list[SealedMessage]:
    """Return casts of ``arrive``, each of :data:`SIZE_BYTES`, from the first cell of ``route`` to the last cell."""
    filler = SIZE_BYTES - len(_cast(route, series, FIRST_NUMBER, 0, versions.OLDEST).to_json())
    if filler < 0:
        raise ValueError(f"A message without filler is {-filler} bytes longer than {SIZE_BYTES} bytes.")
    return [_cast(route, series, FIRST_NUMBER + number, filler, version) for number in range(count)]


def _cast(route: Sequence[str], series: str, number: int, filler: int, version: str) -> SealedMessage:
    return TargetedMessage.new(
        method="arrive",
        kwargs={"series": series, "number": number, "filler": "x" * filler},
        context=_CONTEXT,
        route=CellPath(route[:1]),
        target=CellPath(route),
        direction=Direction.DOWN,
    ).sealed(version, LIMIT_BYTES)


class Sender:
    """Simulates the parent of a cell."""

    def __init__(self, api: InterCellRPCAPI, neighbor: Neighbor) -> None:
        self._api = api
        self._neighbor = neighbor

    def send(self, messages: Sequence[SealedMessage], batch: int) -> int:
        """Send the messages, ``batch`` in a cast; return the number of casts."""
        starts = range(0, len(messages), batch)
        for start in starts:
            together = messages[start : start + batch]
            if len(together) == 1:
                self._api.send_message_to_cell(self._neighbor, together[0])
            else:
                self._api.send_messages_to_cell(self._neighbor, together)
        return len(starts)


@contextlib.contextmanager
def sending_to(name: str, transport_url: str, place: Path) -> Iterator[Sender]:
    """Yield a sender to the cell ``name``, over that cell's broker."""
    config_file = place / "sender.conf"
    config_file.write_text(
        f"[DEFAULT]\ntransport_url = {transport_url}\nstate_path = {place}\n[cells]\nname = sender\n"
    )
    options = conf.load([config_file])
    settings = DriverSettings(conf=options, host="sender", transport_url=transport_url, message_types=MESSAGE_TYPES)
    api = InterCellRPCAPI(settings)
    try:
        yield Sender(api, Neighbor(name, transport_url, is_parent=False))
    finally:
        api.close()
