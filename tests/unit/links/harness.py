"""Links over a driver that sends, hangs or fails as a test orders, and a record of their reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cells import exceptions
from cells.counters import Counters
from cells.drivers.base import BaseCellsDriver, OnMessage, Outgoing, Target
from cells.drivers.registry import Drivers
from cells.links import LinkLimits, Links
from cells.neighbors.neighbor import Neighbor
from cells.worker_threads import Clock, Runtime, Spawn, start_thread
from tests.text_message import TextMessage
from tools.polling import poll

HOUR = 3600.0
#: a message that travels alone, and a message that may share a cast
ALONE = TextMessage("targeted", False, "")
ITEM = TextMessage("targeted", False, "", version="1.3", item={})


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    return poll(condition, what, timeout_seconds=10)


def neighbor(name: str, place: str = "here", driver: str = "scripted") -> Neighbor:
    return Neighbor(name, f"memory://{place}/{name}", is_parent=False, driver=driver)


A, B, C, D = (neighbor(name) for name in "abcd")


class PlainDriver(BaseCellsDriver):
    """Records each attempt and each sent message; does not override :meth:`send_messages_to_cell`."""

    def __init__(self) -> None:
        self.record: list[str] = []
        self.failures: dict[str, Exception] = {}
        self._gates: dict[str, threading.Event] = {}

    def hang(self, name: str) -> None:
        """Let sends to this neighbor hang from now on; ``closing a`` is the end of the link to a."""
        self._gates[name] = threading.Event()

    def resume(self, name: str) -> None:
        self._gates.pop(name).set()

    def resume_all(self) -> None:
        for name in list(self._gates):
            self.resume(name)

    def send_message_to_cell(self, cell: Target, message: Outgoing) -> None:
        self._send(cell, message.to_json())

    def _send(self, cell: Target, text: str) -> None:
        self.record.append(f"try {cell.transport_url} {text}")
        self._pass(cell.name)
        if cell.name in self.failures:
            raise self.failures[cell.name]
        self.record.append(f"sent {cell.transport_url} {text}")

    def close_link(self, cell: Target) -> None:
        self.record.append(f"closing {cell.transport_url}")
        self._pass(f"closing {cell.name}")
        self.record.append(f"close {cell.transport_url}")

    def _pass(self, name: str) -> None:
        gate = self._gates.get(name)
        if gate is not None:
            assert gate.wait(30), "The test never resumed the driver"

    def of(self, cell: Target, *verbs: str) -> list[str]:
        """Return the record of a neighbor: ``["sent 1", "close"]``."""
        lines = [line.split() for line in list(self.record)]
        return [" ".join([verb, *rest]) for verb, url, *rest in lines if url == cell.transport_url and verb in verbs]

    def start_servers(self, on_message: OnMessage) -> None:
        raise AssertionError("Links only send")

    def stop_servers(self) -> None:
        raise AssertionError("Links only send")

    def close(self) -> None:
        raise AssertionError("Links do not close drivers")


class BatchDriver(PlainDriver):
    """Records a cast of three messages as one line; ``hang("a's casts")`` lets such casts hang."""

    def send_messages_to_cell(self, cell: Target, messages: Sequence[Outgoing]) -> None:
        together = "+".join(message.to_json() for message in messages)
        if len(messages) > 1:
            self.record.append(f"cast {cell.transport_url} {together}")
            self._pass(f"{cell.name}'s casts")
        self._send(cell, together)


class OneDriver(Drivers):
    """A registry with one driver."""

    def __init__(self, driver: BaseCellsDriver) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # it loads no driver that exists
        self._driver = driver

    def get(self, name: str) -> BaseCellsDriver:
        return self._driver if name == "scripted" else super().get(name)


class Harness:
    """Links, their driver, and their reports."""

    def __init__(
        self,
        driver: PlainDriver | None = None,
        clock: Clock = time.monotonic,
        spawn: Spawn = start_thread,
        **limits: Any,
    ) -> None:
        self.driver = driver or BatchDriver()
        self.counters = Counters()
        self.deliveries: list[tuple[str, bool]] = []
        self.failures: dict[str, exceptions.CellsError] = {}
        #: ``["1 sent", "2 NeighborBusy"]``
        self.told: list[str] = []
        self.links = Links(
            OneDriver(self.driver),
            self.counters,
            lambda name, is_reachable: self.deliveries.append((name, is_reachable)),
            LinkLimits(**limits),
            Runtime(clock=clock, spawn=spawn),
        )

    def send(self, cell: Neighbor, *texts: str, like: TextMessage = ALONE, **options: float) -> None:
        for text in texts:
            self._send(cell, replace(like, text=text), options)

    def hang_sending(self, cell: Neighbor, text: str) -> None:
        """Let sends to a neighbor hang, and return when the first send, of ``text``, hangs."""
        self.driver.hang(cell.name)
        self.send(cell, text)
        self.wait_until(cell, f"try {text}")

    def _send(self, cell: Neighbor, message: TextMessage, options: dict[str, float]) -> None:
        text = message.text

        def fail(error: exceptions.CellsError) -> None:
            self.failures[text] = error
            self.told.append(f"{text} {type(error).__name__}")

        self.links.send(cell, [(message, fail, lambda: self.told.append(f"{text} sent"))], **options)

    def wait_until(self, cell: Neighbor, *lines: str) -> None:
        """Wait until the driver's record of a neighbor has exactly these lines, among lines with the same verbs."""
        verbs = {line.split()[0] for line in lines}
        wait_for(lambda: len(self.driver.of(cell, *verbs)) >= len(lines), f"{lines} in {self.driver.record}")
        assert self.driver.of(cell, *verbs) == list(lines)

    def wait_until_told(self, *lines: str) -> None:
        """Wait until exactly these reports have come, in any order."""
        wait_for(lambda: len(self.told) >= len(lines), f"{lines} in {self.told}")
        assert sorted(self.told) == sorted(lines)

    def queue_behind_first(self, *texts: str, like: TextMessage = ITEM) -> None:
        """Queue messages for the neighbor A behind a message whose send hangs."""
        self.driver.hang("a")
        self.send(A, "first", like=ITEM)
        self.wait_until(A, "try first")
        self.send(A, *texts, like=like)
