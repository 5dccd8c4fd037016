"""Backlog: notifications without a listener, kept by their sender until a listener starts.

A broker keeps such notifications in a queue.  Here they stay in the memory of the sending
process; their number is limited, and they are lost when the process ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Collection
from typing import NamedTuple

import oslo_messaging

from cells import exceptions
from cells.brokerless import frames
from cells.brokerless.round_trip import DeliveryUnknown, Outgoing
from cells.brokerless.sender import Sender

LOG = logging.getLogger(__name__)

RETRY_INTERVAL_SECONDS = 0.5
#: Time limit of :meth:`Backlog.close`; a delivery in progress is finished.
CLOSE_SECONDS = 5.0


class _Kept(NamedTuple):
    """Notification for one pool; ``pool`` None: for each pool that is known at the time of delivery."""

    key: str
    body: bytes
    pool: str | None


class Backlog:
    """Delivers notifications immediately, or when a listener starts.  Thread-safe."""

    def __init__(self, sender: Sender, max_size: int) -> None:
        self._sender = sender
        self._max_size = max_size
        self._lock = threading.Lock()
        self._kept: deque[_Kept] = deque()
        self._closed = threading.Event()
        self._give_up_at = float("inf")
        self._thread: threading.Thread | None = None

    def send(self, key: str, body: bytes, *, keep_without_listeners: bool = True) -> None:
        """Deliver to one listener of each pool, or keep the notification.

        :param keep_without_listeners: False: drop the notification if no pool is known now
        :raises oslo_messaging.MessageDeliveryFailure: the backlog is full
        """
        with self._lock:
            stuck = {waiting.pool for waiting in self._kept if waiting.key == key}
        # A pool without listeners delays no other pool, however many notifications are kept for it.
        newest = _Kept(key, body, None)
        left = [newest] if None in stuck else self._deliver(newest, stuck)
        if left == [newest] and not keep_without_listeners:
            LOG.debug("A notification has no listener and is dropped.")
        elif left:
            self._keep(left)

    def _keep(self, left: list[_Kept]) -> None:
        with self._lock:
            if self._closed.is_set():
                raise oslo_messaging.MessageDeliveryFailure("This transport was closed.")
            if len(self._kept) + len(left) > self._max_size:
                raise oslo_messaging.MessageDeliveryFailure(
                    f"No listener takes notifications and the backlog is full ({len(self._kept)} kept): start a "
                    "listener, or raise [oslo_messaging_zmq] notification_backlog_size."
                )
            self._kept.extend(left)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="zmq-backlog", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Try once more, then drop the remaining notifications.  May be called twice."""
        with self._lock:
            self._give_up_at = time.monotonic() + CLOSE_SECONDS
            self._closed.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        if self._kept:
            LOG.warning("%d notifications are lost: this process ends and no listener took them.", len(self._kept))
            self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._closed.wait(RETRY_INTERVAL_SECONDS)
            try:
                self._retry_all()
            except Exception:  # this thread is the only one that retries
                LOG.exception("Kept notifications could not be delivered; the next attempt follows.")

    def _retry_all(self) -> None:
        """Try each kept notification once; keep the order within each key."""
        stuck: set[tuple[str, str | None]] = set()
        with self._lock:
            batch = list(self._kept)
        for waiting in batch:
            if time.monotonic() >= self._give_up_at:
                return
            is_stuck = (waiting.key, None) in stuck or (waiting.key, waiting.pool) in stuck
            left = (
                [waiting] if is_stuck else self._deliver(waiting, [pool for key, pool in stuck if key == waiting.key])
            )
            stuck.update((other.key, other.pool) for other in left)
            if left != [waiting]:
                with self._lock:
                    position = self._kept.index(waiting)
                    del self._kept[position]
                    for other in reversed(left):
                        self._kept.insert(position, other)

    def _deliver(self, waiting: _Kept, stuck: Collection[str | None] = ()) -> list[_Kept]:
        """Send to the listeners; return the notifications that are still to be sent.

        :param stuck: pools for which an older notification is kept
        """
        pools = [waiting.pool] if waiting.pool is not None else self._pools(waiting.key)
        if not pools:
            return [waiting]
        return [waiting._replace(pool=pool) for pool in pools if pool in stuck or not self._is_delivered(waiting, pool)]

    def _is_delivered(self, waiting: _Kept, pool: str) -> bool:
        """Send to one pool; return False if the notification is to be sent again."""
        try:
            self._sender.cast(Outgoing(frames.CAST, waiting.key, waiting.body, retry=0, pool=pool))
        except DeliveryUnknown as error:
            if not error.is_server_lost:
                LOG.warning("A notification may be lost: %s", error)
                return True
            # As with a broker whose consumer dies: duplicates are better than losses.
            LOG.debug("A notification is sent again: %s", error)
            return False
        except oslo_messaging.MessageDeliveryFailure as error:
            LOG.debug("A notification is kept: %s", error)
            return False
        return True

    def _pools(self, key: str) -> list[str]:
        try:
            return self._sender.peers.pools(key)
        except exceptions.MatchMakerException:
            return []
