"""Calls to many cells at once, whose answers are handed out as they come.

The client asks again and again for what is new; the manager answers as soon as
there is something.  Nothing here waits: each cell is a call of its own, with its
own deadline, so a slow one delays nobody.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Collection
from concurrent import futures
from functools import partial
from typing import Any

from cells import exceptions

#: What nobody asks for is forgotten so long after the last answer was due.
FORGET_SECONDS = 60.0


class Multicall:
    """The answers to one call to many cells.  Thread-safe."""

    def __init__(
        self,
        cells: Collection[str],
        ends_at: float,
        *,
        is_open: bool = False,
        on_stop: Callable[[], object] | None = None,
    ) -> None:
        """:param is_open: not all who answer are known: it ends when it is said to
        :param on_stop: called when nobody wants the answers any more that are still to come
        """
        self.ends_at = ends_at
        self._on_stop = on_stop
        self._lock = threading.Lock()
        self._missing = set(cells)
        self._is_open = is_open
        self._new: list[tuple[str, Any]] = []
        self._waiting: futures.Future[dict[str, Any]] | None = None

    def add(self, cell: str, answer: Any) -> None:
        """One cell has answered."""
        with self._lock:
            self._missing.discard(cell)
            self._new.append((cell, answer))
            tell = self._tell()
        tell()

    def stop(self) -> None:
        """Nobody asks for it any more."""
        with self._lock:
            on_stop = None if self._is_complete else self._on_stop
            self._new.clear()
        if on_stop is not None:
            on_stop()

    def finish(self) -> None:
        """There is no answer to come any more."""
        with self._lock:
            self._is_open = False
            tell = self._tell()
        tell()

    def _tell(self) -> Callable[[], object]:
        """Called under the lock: what is to be called without it, so that who waits gets what is new."""
        waiting, self._waiting = self._waiting, None
        return _nothing if waiting is None else partial(waiting.set_result, self._take())

    def next(self) -> futures.Future[dict[str, Any]]:
        """A future of ``{"answers": [(cell, answer), ...], "is_complete": bool}``: with new answers, or the end.

        Who asks again before the last future is done gets that one.
        """
        with self._lock:
            if self._waiting is not None:
                return self._waiting
            batch: futures.Future[dict[str, Any]] = futures.Future()
            if self._new or self._is_complete:
                batch.set_result(self._take())
            else:
                self._waiting = batch
            return batch

    def _take(self) -> dict[str, Any]:
        answers, self._new = self._new, []
        return {"answers": answers, "is_complete": self._is_complete}

    @property
    def _is_complete(self) -> bool:
        return not self._missing and not self._is_open


class Multicalls:
    """Those that clients still ask for.  Thread-safe."""

    def __init__(self, max_multicalls: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_multicalls = max_multicalls
        self._clock = clock
        self._lock = threading.Lock()
        self._multicalls: dict[str, Multicall] = {}

    def start(
        self,
        cells: Collection[str],
        timeout_seconds: float,
        *,
        is_open: bool = False,
        on_stop: Callable[[], object] | None = None,
    ) -> tuple[str, Multicall]:
        """A new one, and the id to ask for it.

        :param is_open: and ``on_stop`` as for :class:`Multicall`
        :raises cells.exceptions.ManagerBusy: too many are open
        """
        now = self._clock()
        multicall = Multicall(cells, now + timeout_seconds, is_open=is_open, on_stop=on_stop)
        with self._lock:
            for key in [key for key, old in self._multicalls.items() if old.ends_at + FORGET_SECONDS < now]:
                del self._multicalls[key]
            if len(self._multicalls) >= self._max_multicalls:
                raise exceptions.ManagerBusy(
                    f"{self._max_multicalls} calls to many cells are open in this manager already "
                    "([cells] max_pending_calls): try again later."
                )
            multicall_id = str(uuid.uuid4())
            if cells or is_open:
                self._multicalls[multicall_id] = multicall
        return multicall_id, multicall

    def next(self, multicall_id: str) -> futures.Future[dict[str, Any]]:
        """What is new; see :meth:`Multicall.next`.  With the last answers it is forgotten.

        :raises cells.exceptions.InvalidArguments: there is none of that id (any more)
        """
        multicall = self._multicalls.get(multicall_id)
        if multicall is None:
            raise exceptions.InvalidArguments(
                f"There is no call to many cells {multicall_id!r:.80} in this manager: it was restarted, or nobody "
                "has asked for the answers for too long."
            )
        batch = multicall.next()
        batch.add_done_callback(lambda done: self.stop(multicall_id) if done.result()["is_complete"] else None)
        return batch

    def stop(self, multicall_id: str) -> None:
        """Nobody will ask for it any more."""
        with self._lock:
            multicall = self._multicalls.pop(multicall_id, None)
        if multicall is not None:
            multicall.stop()


def _nothing() -> None:
    """Nobody waits."""
