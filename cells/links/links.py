"""The links to all neighbors: callers queue a message here and continue.

A slow, dead or hung broker blocks only the thread of its own link and fills only
its own queue, as long as fewer brokers hang than links may be open.  Threads and
connections exist only for neighbors with recent traffic.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from cells import exceptions
from cells.counters import Counters
from cells.drivers.base import PostingDriver, Target
from cells.drivers.registry import Drivers
from cells.links.delivery import DeliveryReports, IsUsed, LinkLimits, OnDelivery
from cells.links.link import Link, Refusal
from cells.links.losses import Losses
from cells.links.posting import Posting
from cells.links.send_queue import DirectReply, OnFailure, OnSent, SendRequest
from cells.links.slots import LinkSlots
from cells.worker_threads import Runtime, Thread

LOG = logging.getLogger(__name__)

#: The thread that looks for hung brokers goes round at least so often, to show that it can.
MAX_LOOK_SECONDS = 2.0


@dataclass(eq=False, repr=False)
class Links:
    """The links to all neighbors with recent traffic.  Thread-safe."""

    drivers: Drivers
    counters: Counters
    #: called after each attempt with the neighbor's name, and whether its broker succeeded
    on_delivery: OnDelivery
    limits: LinkLimits
    runtime: Runtime = field(default_factory=Runtime)
    losses: Losses = field(default_factory=Losses)
    is_used: IsUsed = lambda _: True

    def __post_init__(self) -> None:
        self.slots = LinkSlots(self.limits.open_links, self._close_idle_link)
        self._reports = DeliveryReports(self.counters, self.on_delivery, self.losses, self.is_used)
        self._clock = self.runtime.clock
        self._posting = Posting(self._reports, self._clock)
        self._lock = threading.Lock()
        self._links: dict[str, Link] = {}
        #: closing links that have a successor; their messages are subject to the send timeout, too
        self._retiring: set[Link] = set()
        self._is_stopped = threading.Event()
        self._watch: Thread | None = None
        #: when the thread that looks for hung brokers last went round; None: it does not run
        self.looked_at: float | None = None

    def send(
        self, cell: Target, requests: Sequence[SendRequest], *, room_deadline: float = 0.0, hold_seconds: float = 0.0
    ) -> None:
        """Queue messages for ``cell``, in their order.  Does not raise, and blocks only until ``room_deadline``.

        :param requests: each message, with a function that is called once if the message cannot be delivered, and None
            or a function that is called once if it is; both from any thread
        :param room_deadline: when the queue is full, wait for room until then (seconds of the monotonic clock), as
            long as the broker of ``cell`` takes messages
        :param hold_seconds: how long the messages may wait for others that share their cast; they are sent earlier with
            the next message of their kind, when the link closes, and in :meth:`wait_until_idle`
        """
        driver = self._posting_driver(cell)
        if driver is not None and not self._is_stopped.is_set():
            self._posting.post(driver, cell, requests, room_deadline)
            return
        done = 0
        while done < len(requests):
            refused: list[Refusal] = []
            try:
                count, refused = self._link(cell).put(requests, done, room_deadline, hold_seconds)
            except exceptions.DeliveryError as error:
                count, refused = 1, [(error, requests[done][0].kind, requests[done][1])]
            done += count
            for refusal in refused:
                self._reports.refuse(*refusal)

    def reaches_clients(self, cell: Target) -> bool:
        """Return whether the driver of ``cell`` can send replies directly to its clients."""
        try:
            return self.drivers.get(cell.driver).reaches_clients(cell)
        except exceptions.PluginError:
            return False

    def reply_to_client(self, cell: Target, reply_to: str, value: str, on_failure: OnFailure, on_sent: OnSent) -> None:
        """Queue a value for a client of ``cell``.  Does not raise, and does not block.

        :param reply_to: where the client waits, as its manager named it in the call
        :param value: JSON text
        :param on_failure: called once, from any thread, if the client does not get the value
        :param on_sent: called once, from any thread, if the neighbor's broker has the value
        """
        self.send(cell, [(DirectReply(reply_to, value), on_failure, on_sent)])

    def _posting_driver(self, cell: Target) -> PostingDriver | None:
        """Return the driver of ``cell`` if it needs no send queue."""
        try:
            driver = self.drivers.get(cell.driver)
        except exceptions.CellsError:
            return None  # the link reports the error
        return driver if isinstance(driver, PostingDriver) else None

    def _link(self, cell: Target) -> Link:
        with self._lock:
            if self._is_stopped.is_set():
                # A late answer, for example, must not open a link: it would stay open.
                raise exceptions.NeighborUnreachable(
                    "The manager has stopped: the message was not sent.", cell=cell.name
                )
            link = self._links.get(cell.name)
            # Before the first link, and again if there was no thread for it.
            self._start_watch()
            if link is not None and not link.is_closing and link.leads_to(cell):
                return link
            if link is not None:
                link.close()
                self._retiring.add(link)
            link = self._links[cell.name] = Link(
                cell=cell,
                drivers=self.drivers,
                limits=self.limits,
                reports=self._reports,
                slots=self.slots,
                on_closed=self._forget_closed,
                runtime=self.runtime,
                predecessor=link,
            )
        # Without the lock, which an idle link that has to close needs.
        link.open()
        return link

    def _start_watch(self) -> None:
        """Start to watch for stalled links, unless that is done.  Caller holds the lock."""
        if self._watch is None:
            try:
                self._watch = self.runtime.spawn(self._watch_stalls, "cells-send-watch")
            except RuntimeError as error:  # the next link tries again
                LOG.warning("The system has no thread left to watch the links: %s", error)

    def _watch_stalls(self) -> None:
        limit = self.limits.send_timeout_seconds
        self.looked_at = self._clock()
        while not self._is_stopped.wait(min(limit / 5, MAX_LOOK_SECONDS)):
            self.looked_at = self._clock()
            self.slots.open_waiting()
            for link in self._all():
                link.check_stall(limit)

    def _all(self) -> list[Link]:
        with self._lock:
            return [*self._links.values(), *self._retiring]

    def _close_idle_link(self) -> None:
        """Ask the link that was idle for the longest time to close, if there is one."""
        with self._lock:
            links = sorted(self._links.values(), key=lambda candidate: candidate.used_at)
        any(link.close_if_idle() for link in links)

    def forget(self, cell: Target, timeout_seconds: float = 0.0) -> None:
        """Send the messages queued for ``cell``, then close its link: the cell is removed, or not needed soon.

        :param timeout_seconds: how long to wait for that
        """
        with self._lock:
            link = self._links.get(cell.name)
        if link is not None and link.leads_to(cell):
            link.close()
            link.wait_until_ended(timeout_seconds)

    def _forget_closed(self, link: Link) -> None:
        with self._lock:
            # Until here a successor finds the link, and waits for it.
            if self._links.get(link.cell.name) is link:
                del self._links[link.cell.name]
            self._retiring.discard(link)

    def wait_until_idle(self, timeout_seconds: float) -> None:
        """Send held messages at once; wait until all queues are empty, or for so long.

        Callers may send more messages meanwhile and afterwards.
        """
        until = self._clock() + timeout_seconds
        for link in self._all():
            link.wait_until_idle(until - self._clock())
        self._posting.wait_until_idle(until)

    def stop(self, timeout_seconds: float) -> None:
        """Send all queued messages and close all links; give up after ``timeout_seconds``.  May be called twice."""
        deadline = self._clock() + timeout_seconds
        with self._lock:
            self._is_stopped.set()
        links = self._all()
        for link in links:
            link.close()
        for link in links:
            link.wait_until_ended(max(0.0, deadline - self._clock()))
        for link in self._all():
            link.abandon()

    def backlogs(self) -> dict[str, tuple[int, int, float]]:
        """Return, for each neighbor with a link, the messages that wait or are being sent.

        :returns: name -> (number of messages, their bytes, age of the oldest in seconds)
        """
        found: dict[str, tuple[int, int, float]] = {}
        for link in self._all():
            count, size_bytes, age = link.backlog()
            before = found.get(link.cell.name, (0, 0, 0.0))
            found[link.cell.name] = (before[0] + count, before[1] + size_bytes, max(before[2], age))
        return found

    def __len__(self) -> int:
        """Return the number of links."""
        return len(self._links)
