"""Answers of many cells to one call, kept in the manager until its client fetches them.

The client (:mod:`cells.services.answer_batches`) fetches batch after batch; a fetch is
answered as soon as there are new answers.  No thread waits here, and each cell has a
deadline of its own, so a slow cell does not delay the answers of the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

from cells import exceptions
from cells.worker_threads import Clock, new_id

#: A stream that is not fetched to its end is discarded so long after the deadline of its call.
KEEP_SECONDS = 60.0


class AnswerStream:
    """The answers to one call of many cells.  Thread-safe."""

    def __init__(self, ends_at: float, expected: int | None, on_stop: Callable[[], object] | None = None) -> None:
        """:param expected: the number of answers that will be added; None: until :meth:`finish`
        :param on_stop: called if the client gives up before the stream is complete
        """
        self.ends_at = ends_at
        self._on_stop = on_stop
        self._lock = threading.Lock()
        self._expected = expected
        self._new: list[Any] = []
        self._fetch: futures.Future[dict[str, Any]] | None = None

    def add(self, *answers: Any) -> None:
        """Add answers as they arrive."""
        with self._lock:
            self._new += answers
            if self._expected is not None:
                self._expected -= len(answers)
        self._answer_fetch()

    def finish(self, *answers: Any) -> None:
        """Add the last answers of a stream whose number of answers was not known."""
        with self._lock:
            self._new += answers
            self._expected = 0
        self._answer_fetch()

    def stop(self) -> None:
        """Discard the answers that are not fetched: the client wants no more."""
        with self._lock:
            on_stop = None if self._expected == 0 else self._on_stop
            self._new.clear()
        if on_stop is not None:
            on_stop()

    def next(self) -> futures.Future[dict[str, Any]]:
        """Return a future of ``{"answers": [...], "is_complete": bool}``, with new answers or at the end.

        A fetch that comes before the last future is done returns that same future.
        """
        with self._lock:
            if self._fetch is not None:
                return self._fetch
            fetch: futures.Future[dict[str, Any]] = futures.Future()
            if self._new or self._expected == 0:
                fetch.set_result(self._take())
            else:
                self._fetch = fetch
            return fetch

    def _answer_fetch(self) -> None:
        with self._lock:
            # Another thread may have answered an older fetch with the answers that this thread has added.
            if self._fetch is None or (not self._new and self._expected != 0):
                return
            fetch, self._fetch = self._fetch, None
            batch = self._take()
        # Without the lock: the callbacks of the future send the reply.
        fetch.set_result(batch)

    def _take(self) -> dict[str, Any]:
        answers, self._new = self._new, []
        return {"answers": answers, "is_complete": self._expected == 0}


class AnswerStreams:
    """The streams that clients still fetch from, by id.  Thread-safe."""

    def __init__(self, max_streams: int, clock: Clock = time.monotonic, new_id: Callable[[], str] = new_id) -> None:
        self._max_streams = max_streams
        self._clock = clock
        self._new_id = new_id
        self._lock = threading.Lock()
        self._streams: dict[str, AnswerStream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def start(
        self, timeout_seconds: float, expected: int | None = None, on_stop: Callable[[], object] | None = None
    ) -> tuple[str, AnswerStream]:
        """Return a new stream and its id; ``expected`` and ``on_stop`` as for :class:`AnswerStream`.

        :raises cells.exceptions.ManagerBusy: too many streams are open
        """
        now = self._clock()
        stream = AnswerStream(now + timeout_seconds, expected, on_stop)
        stream_id = self._new_id()
        with self._lock:
            for key in [key for key, old in self._streams.items() if old.ends_at + KEEP_SECONDS < now]:
                del self._streams[key]
            if len(self._streams) >= self._max_streams:
                raise exceptions.ManagerBusy(
                    f"This manager already keeps the answers to {self._max_streams} calls of many cells "
                    "([cells] max_pending_calls): try again later."
                )
            if expected != 0:
                self._streams[stream_id] = stream
        return stream_id, stream

    def next(self, stream_id: str) -> futures.Future[dict[str, Any]]:
        """Return a future of the new answers, see :meth:`AnswerStream.next`; the last batch removes the stream.

        :raises cells.exceptions.InvalidArguments: there is no stream of that id
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            raise exceptions.InvalidArguments(
                f"This manager has no answers to a call {stream_id!r:.80} of many cells: it was restarted, or the "
                "answers were not fetched for too long."
            )
        batch = stream.next()
        batch.add_done_callback(lambda done: self.stop(stream_id) if done.result()["is_complete"] else None)
        return batch

    def stop(self, stream_id: str) -> None:
        """Remove a stream: the client wants no more answers."""
        with self._lock:
            stream = self._streams.pop(stream_id, None)
        if stream is not None:
            stream.stop()
