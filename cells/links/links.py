"""One sender per neighbor: whoever has a message for it leaves it here and goes on.

A broker that is slow, dead or hung holds the one thread that sends to it and
fills its own queue; nobody else waits, as long as fewer brokers hang than links
may be open.  Threads and connections exist only for the neighbors that were sent
something lately.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cells import exceptions
from cells.counters import Counters
from cells.drivers.base import Outgoing, Target
from cells.drivers.registry import Drivers
from cells.links.link import Refusal, Sender, report
from cells.links.send_queue import OnFailure, OnSent, Parcel

LOG = logging.getLogger(__name__)

OnDelivery = Callable[[str, bool], None]

#: A link on which nothing was sent for this long is closed.
IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class Limits:
    """Bounds of what waits and what stays open."""

    send_timeout_seconds: float = 10.0
    queue_size: int = 10000
    queue_bytes: int = 256 * 1024 * 1024
    open_links: int = 64
    idle_seconds: float = IDLE_SECONDS


class Outboxes:
    """The outboxes of all neighbors that were sent something lately.  Thread-safe."""

    def __init__(self, drivers: Drivers, counters: Counters, on_delivery: OnDelivery, limits: Limits) -> None:
        """``on_delivery`` is told after each attempt whether the neighbor's broker took the message."""
        self.drivers = drivers
        self.limits = limits
        self._counters = counters
        self._on_delivery = on_delivery
        self._lock = threading.Lock()
        self._places = threading.Semaphore(limits.open_links)
        self._crowd = 0
        self._outboxes: dict[str, Sender] = {}
        #: those that another one follows: what waits in them waits no longer than elsewhere
        self._retiring: set[Sender] = set()
        self._is_stopped = threading.Event()
        self._watch: threading.Thread | None = None

    def send(
        self,
        cell: Target,
        message: Outgoing,
        on_failure: OnFailure,
        on_sent: OnSent | None = None,
        *,
        patient_until: float = 0.0,
    ) -> None:
        """Queue ``message`` for ``cell``.  Does not raise, and does not block unless it may.

        :param on_failure: called once, from any thread, if it cannot be delivered
        :param on_sent: called once, from any thread, if it is
        :param patient_until: when its queue is full, wait for room until then (seconds of the monotonic clock), as
            long as its broker takes what is sent
        """
        self.send_all(cell, [(message, on_failure, on_sent)], patient_until=patient_until)

    def send_all(self, cell: Target, parcels: Sequence[Parcel], *, patient_until: float = 0.0) -> None:
        """As :meth:`send`, for messages that go to the same neighbor, in their order, for little more."""
        done = 0
        while done < len(parcels):
            refused: list[Refusal] = []
            try:
                count, refused = self._outbox(cell).put(parcels, done, patient_until)
            except exceptions.DeliveryError as error:
                count, refused = 1, [(error, parcels[done][1])]
            done += count
            for reason, on_failure in refused:
                self.give_up(reason, on_failure)

    def reaches_clients(self, cell: Target) -> bool:
        """Whether the clients of ``cell`` can be sent answers themselves; see the driver."""
        try:
            return self.drivers.get(cell.driver).reaches_clients(cell)
        except exceptions.PluginError:
            return False

    def _outbox(self, cell: Target) -> Sender:
        with self._lock:
            if self._is_stopped.is_set():
                # A late answer, say: it must not open a link that nobody closes any more.
                raise exceptions.NeighborUnreachable(
                    "The manager has stopped and sends nothing any more.", cell=cell.name
                )
            outbox = self._outboxes.get(cell.name)
            if outbox is not None and not outbox.is_closing and outbox.leads_to(cell):
                return outbox
            predecessor = None
            if outbox is not None:
                outbox.close()
                predecessor = outbox.thread
                self._retiring.add(outbox)
            outbox = self._outboxes[cell.name] = Sender(self, cell, predecessor)
            if self._watch is None:
                self._watch = threading.Thread(target=self._watch_stalls, name="cells-send-watch", daemon=True)
                self._watch.start()
            return outbox

    def _watch_stalls(self) -> None:
        limit = self.limits.send_timeout_seconds
        while not self._is_stopped.wait(limit / 5):
            with self._lock:
                outboxes = [*self._outboxes.values(), *self._retiring]
            for outbox in outboxes:
                outbox.check_stall(limit)

    def enter(self) -> None:
        """Called by an outbox's own thread before it opens a link: wait for one of the places."""
        if self._places.acquire(blocking=False):
            return
        with self._lock:
            self._crowd += 1
            links = sorted(self._outboxes.values(), key=lambda candidate: candidate.used_at)
        # The one that was idle for the longest time goes; if all are busy, the first that is done.
        any(outbox.close_if_idle() for outbox in links)
        self._places.acquire()
        with self._lock:
            self._crowd -= 1

    @property
    def is_crowded(self) -> bool:
        """Whether an outbox waits for a place."""
        return self._crowd > 0

    def forget(self, cell: Target, timeout_seconds: float = 0.0) -> None:
        """Send what waits for ``cell``, then close the link: it is gone, or will not be needed soon.

        :param timeout_seconds: how long to wait for that
        """
        with self._lock:
            outbox = self._outboxes.get(cell.name)
        if outbox is not None and outbox.leads_to(cell):
            outbox.close()
            outbox.thread.join(timeout_seconds)

    def retire(self, outbox: Sender) -> None:
        """Called by an outbox's own thread when it ends."""
        try:
            self.drivers.get(outbox.cell.driver).close_link(outbox.cell)
        except Exception as error:  # a driver that was never there, or one of somebody else's
            LOG.debug("The link to cell %s could not be closed: %s", outbox.cell.name, error)
        with self._lock:
            # Until here a successor finds it, and waits for it.
            if self._outboxes.get(outbox.cell.name) is outbox:
                del self._outboxes[outbox.cell.name]
            self._retiring.discard(outbox)
        self._places.release()

    def delivered(self, name: str, error: exceptions.CellsError | None, *, was_failing: bool, count: int = 1) -> None:
        """Called after each attempt to send, and when one has hung for too long."""
        self._on_delivery(name, error is None)
        if error is None:
            self.sent(count)
            if was_failing:
                LOG.info("Cell %s takes messages again.", name)
            return
        # One line when it starts to fail; then one per message at a level for those who look.
        LOG.log(logging.DEBUG if was_failing else logging.WARNING, "%s", error.message)

    def sent(self, count: int) -> None:
        """Count messages that were delivered."""
        self._counters.count("sent", times=count)

    def give_up(self, error: exceptions.CellsError, on_failure: OnFailure) -> None:
        """Count a message that was not delivered, and tell whoever sent it."""
        self._counters.count("undelivered", type(error).__name__)
        report(partial(on_failure, error))

    def wait_until_idle(self, timeout_seconds: float) -> None:
        """Wait until nothing waits any more, or for so long; more may be sent meanwhile and afterwards."""
        until = time.monotonic() + timeout_seconds
        with self._lock:
            outboxes = [*self._outboxes.values(), *self._retiring]
        for outbox in outboxes:
            outbox.wait_until_idle(until)

    def stop(self, timeout_seconds: float) -> None:
        """Send what waits, close all links; give up after ``timeout_seconds``.  May be called twice."""
        deadline = time.monotonic() + timeout_seconds
        with self._lock:
            self._is_stopped.set()
            outboxes = [*self._outboxes.values(), *self._retiring]
        for outbox in outboxes:
            outbox.close()
        for outbox in outboxes:
            outbox.thread.join(max(0.0, deadline - time.monotonic()))

    def __len__(self) -> int:
        return len(self._outboxes)
