"""The links to all neighbors: callers queue a message here and continue.

A slow, dead or hung broker blocks only the thread of its own link and fills only
its own queue, as long as fewer brokers hang than links may be open.  Threads and
connections exist only for neighbors with recent traffic.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from cells import exceptions
from cells.counters import Counters
from cells.drivers.base import Target
from cells.drivers.registry import Drivers
from cells.links.delivery import DeliveryReports, LinkLimits, OnDelivery
from cells.links.link import Link, Refusal
from cells.links.losses import Losses
from cells.links.send_queue import DirectReply, OnFailure, OnSent, SendRequest
from cells.links.slots import LinkSlots
from cells.worker_threads import Runtime, Thread


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

    def __post_init__(self) -> None:
        self.slots = LinkSlots(self.limits.open_links, self._close_idle_link)
        self._reports = DeliveryReports(self.counters, self.on_delivery, self.losses)
        self._clock = self.runtime.clock
        self._lock = threading.Lock()
        self._links: dict[str, Link] = {}
        #: closing links that have a successor; their messages are subject to the send timeout, too
        self._retiring: set[Link] = set()
        self._is_stopped = threading.Event()
        self._watch: Thread | None = None

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

    def _link(self, cell: Target) -> Link:
        with self._lock:
            if self._is_stopped.is_set():
                # A late answer, for example, must not open a link: it would stay open.
                raise exceptions.NeighborUnreachable(
                    "The manager has stopped: the message was not sent.", cell=cell.name
                )
            link = self._links.get(cell.name)
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
                predecessor=None if link is None else link.thread,
            )
            if self._watch is None:
                self._watch = self.runtime.spawn(self._watch_stalls, "cells-send-watch")
            return link

    def _watch_stalls(self) -> None:
        limit = self.limits.send_timeout_seconds
        while not self._is_stopped.wait(limit / 5):
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
            link.thread.join(timeout_seconds)

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

    def stop(self, timeout_seconds: float) -> None:
        """Send all queued messages and close all links; give up after ``timeout_seconds``.  May be called twice."""
        deadline = self._clock() + timeout_seconds
        with self._lock:
            self._is_stopped.set()
        links = self._all()
        for link in links:
            link.close()
        for link in links:
            link.thread.join(max(0.0, deadline - self._clock()))
        for link in self._all():
            link.abandon()

    def __len__(self) -> int:
        """Return the number of links."""
        return len(self._links)
