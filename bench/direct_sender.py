"""Messages over a direct link, sent by the same code as a neighbor's messages."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cells import conf, exceptions
from cells.drivers.base import DriverSettings
from cells.drivers.direct import outgoing
from cells.drivers.direct.driver import DirectDriver
from cells.messages import MESSAGE_TYPES
from cells.messages.wire import SealedMessage
from cells.neighbors.neighbor import Neighbor
from tools.polling import poll

#: Messages that are given to the link at a time.
CHUNK = 64
ROOM_SECONDS = 60.0


class DirectSender:
    """Simulates the parent of a cell with a direct link.

    :param place: directory for the configuration
    :param name: of the parent
    :param options: as of :meth:`tools.direct_links.DirectLinks.options`, of the parent
    :param child: row of the cell, which connects to the parent
    """

    def __init__(self, place: Path, name: str, options: Mapping[str, Mapping[str, object]], child: Neighbor) -> None:
        config_file = place / "sender.conf"
        lines = ["[DEFAULT]", f"state_path = {place}", "[cells]", f"name = {name}"]
        for section, values in options.items():
            lines += [f"[{section}]", *(f"{key} = {value}" for key, value in values.items())]
        config_file.write_text("\n".join([*lines, ""]))
        settings = DriverSettings(
            conf=conf.load([config_file]), host="sender", transport_url=None, message_types=MESSAGE_TYPES
        )
        self._child = child
        self._errors: list[exceptions.CellsError] = []
        self._driver = DirectDriver(settings)
        self._driver.set_neighbors([child])
        self._driver.start_servers(lambda *_: None)
        poll(lambda: self._driver.receivers(child), f"{child.name} connects", timeout_seconds=60.0)

    def send(self, messages: Sequence[SealedMessage], in_frame: int) -> None:
        """Give the messages to the link, at most ``in_frame`` of them in a frame; return when the link has all.

        :raises cells.exceptions.CellsError: the outcome of a message that the link gave up
        """
        with _at_most(in_frame):
            for start in range(0, len(messages), CHUNK):
                self._driver.wait_for_room(self._child, time.monotonic() + ROOM_SECONDS)
                together = messages[start : start + CHUNK]
                self._driver.post(self._child, [(message, self._take_outcome) for message in together])
            self._driver.wait_until_idle(ROOM_SECONDS)
        if self._errors:
            raise self._errors[0]

    def _take_outcome(self, error: exceptions.CellsError | None) -> None:
        if error is not None:
            self._errors.append(error)

    def close(self) -> None:
        """End the link."""
        self._driver.close()


@contextlib.contextmanager
def _at_most(messages: int) -> Iterator[None]:
    """Put at most so many messages into each frame; this process sends no other ones."""
    before = outgoing.MAX_ENTRIES
    outgoing.MAX_ENTRIES = messages
    try:
        yield
    finally:
        outgoing.MAX_ENTRIES = before
