"""The limit on open links: each open link has a connection and a thread, and a link that waits has neither."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

LOG = logging.getLogger(__name__)


class LinkSlots:
    """A bounded number of slots, one per open link, in the order of the requests.  Thread-safe."""

    def __init__(self, count: int, close_idle_link: Callable[[], object]) -> None:
        """:param close_idle_link: asks one idle link to close; called when all slots are taken.  Must not block"""
        self._close_idle_link = close_idle_link
        self._lock = threading.Lock()
        self._free = count
        self._waiting: deque[Callable[[], object]] = deque()

    @property
    def is_crowded(self) -> bool:
        """Whether a link waits for a slot."""
        return bool(self._waiting)

    def request(self, open_link: Callable[[], object]) -> None:
        """Call ``open_link`` when there is a slot for it: now, or on the thread that frees one.  Does not block.

        :param open_link: starts the thread of a link; RuntimeError: the system has no thread left
        """
        self._waiting.append(open_link)
        self.open_waiting()
        if self.is_crowded:
            # If all links are busy, the first one that becomes idle sees `is_crowded` and closes.
            self._close_idle_link()

    def release(self) -> None:
        """Free the slot of a closed link."""
        with self._lock:
            self._free += 1
        self.open_waiting()

    def open_waiting(self) -> None:
        """Open the links that wait, as long as there are slots and threads.  Called again from time to time."""
        while True:
            with self._lock:
                if not self._free or not self._waiting:
                    return
                self._free -= 1
                open_link = self._waiting.popleft()
            try:
                open_link()
            except RuntimeError as error:
                LOG.warning("The system has no thread left for a link: %s", error)
                with self._lock:
                    self._free += 1
                    self._waiting.appendleft(open_link)
                return
