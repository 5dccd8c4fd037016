"""The links over which a hostile neighbor sends any text: the memory driver, or a direct link with its certificate."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from cells.certificates.certificate import read_file
from cells.drivers.base import DriverSettings
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.message import Message
from cells.drivers.direct.node import Peer
from cells.drivers.memory import MemoryDriver
from cells.neighbors.neighbor import Neighbor
from tests.functional.cell_tree import TreeCell
from tests.functional.direct.nodes import Manager
from tests.text_message import TextMessage
from tests.unit.drivers.direct.identities import Cell

MESSAGE_TYPES = ("targeted", "broadcast", "response")
#: Takes a text, or a list of objects.
Take = Callable[[Any], object]


class Wire(Protocol):
    """The link of a neighbor that a test controls."""

    def row(self, name: str, *, is_parent: bool) -> Neighbor:
        """Return the row for the attacked cell."""

    def start(self, take: Take) -> None: ...

    def connect(self) -> None:
        """Wait until messages can be sent; the attacked cell has the row."""

    def stop(self) -> None: ...

    def send(self, messages: list[TextMessage]) -> None:
        """Send one message with a text, or several with items in one cast."""


class MemoryWire:
    """The memory driver, which knows no sender: as a login to the broker of the attacked cell."""

    def __init__(self, cell: TreeCell, name: str) -> None:
        self._url = f"memory://{uuid.uuid4().hex}/{name}"
        self._driver = MemoryDriver(DriverSettings(None, f"{name}-host", self._url, MESSAGE_TYPES))  # type: ignore[arg-type]
        self._target = Neighbor(cell.path.last, cell.transport_url, is_parent=False, driver="memory")

    def row(self, name: str, *, is_parent: bool) -> Neighbor:
        return Neighbor(name, self._url, is_parent=is_parent, driver="memory")

    def start(self, take: Take) -> None:
        self._driver.start_servers(take)

    def connect(self) -> None:
        """Do nothing: there is no connection."""

    def stop(self) -> None:
        self._driver.stop_servers()

    def send(self, messages: list[TextMessage]) -> None:
        if messages[0].may_share_a_cast:
            self._driver.send_messages_to_cell(self._target, messages)
        else:
            self._driver.send_message_to_cell(self._target, messages[0])


class DirectWire:
    """A direct link: the attacker has the certificate of the neighbor that it is."""

    def __init__(self, cell: TreeCell, name: str) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self.cell = Cell(Path(self._directory.name), f"{cell.path}!{name}", now=datetime.now(timezone.utc))
        options = cell.conf.cells_direct
        self._target = Peer(cell.path.last, read_file(options.certificate), addresses=tuple(options.listen))
        self.manager: Manager | None = None

    def row(self, name: str, *, is_parent: bool) -> Neighbor:
        return Neighbor(name, "", is_parent=is_parent, driver="direct", certificates=self.cell.pem)

    def start(self, take: Take) -> None:
        self.manager = Manager(self.cell, listen=())
        self.manager.on_message = lambda _, __, payload: take(
            json.loads(payload) if payload.startswith(b"[") else payload.decode()
        )

    def connect(self) -> None:
        assert self.manager is not None
        self.manager.node.configure([self._target])
        self.manager.wait_for_host(self._target.name)

    def stop(self) -> None:
        if self.manager is not None:
            self.manager.node.stop(0.2)
        self._directory.cleanup()

    def send(self, messages: list[TextMessage]) -> None:
        items = [message.item for message in messages]
        payload = json.dumps(items) if messages[0].may_share_a_cast else messages[0].text
        is_answer = messages[0].message_type == "response"
        self.send_payload(
            payload.encode(),
            MessageClass.RESPONSE if is_answer else MessageClass.REQUEST,
            is_fanout=messages[0].fanout,
        )

    def send_payload(
        self, payload: bytes, message_class: MessageClass = MessageClass.REQUEST, *, is_fanout: bool = False
    ) -> None:
        """Send any bytes as one message."""
        assert self.manager is not None
        message = Message(message_class=message_class, payload=payload, on_done=lambda _: None, fanout=is_fanout)
        self.manager.node.send(self._target.name, message)


def wire_of(cell: TreeCell, name: str) -> Wire:
    """Return a link of the same kind as those of the attacked cell."""
    return DirectWire(cell, name) if cell.conf.cells_direct.listen else MemoryWire(cell, name)
