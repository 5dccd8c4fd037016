"""Continuous load on a tree during an upgrade, and the verdict on its results."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.upgrade.load_client import TIMEOUT_SECONDS, LoadClient, Operation
from tests.upgrade.recorder import Recorder, Runs
from tools.polling import poll

KINDS = ("call", "cast", "broadcast")
LOOK_SECONDS = 0.2


class Load:
    """All clients and their operations."""

    def __init__(self, clients: Sequence[LoadClient], recorder: Recorder) -> None:
        self._clients = clients
        self._recorder = recorder

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.kill()

    def wait_for_more(self, count: int = 5) -> None:
        """Wait until each client has finished ``count`` more operations of each kind."""
        wanted = {key: done + count for key, done in self._progress().items()}

        def is_reached() -> bool:
            done = self._progress()
            return all(done[key] >= number for key, number in wanted.items())

        poll(is_reached, f"{count} more of everything, from everywhere", TIMEOUT_SECONDS, LOOK_SECONDS)

    def _progress(self) -> dict[tuple[str, str], int]:
        done = {client.name: Counter(operation.kind for operation in client.operations()) for client in self._clients}
        return {(name, kind): kinds[kind] for name, kinds in done.items() for kind in KINDS}

    def finish(self) -> None:
        """Stop sending, and wait for the operations in flight."""
        for client in self._clients:
            client.finish()
        self.wait_for_casts()

    def operations(self) -> list[Operation]:
        """Return the finished operations."""
        return [operation for client in self._clients for operation in client.operations()]

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Pause the load for the block: no message is in flight, from clients or between cells."""
        for client in self._clients:
            client.begin_pause()
        for client in self._clients:
            client.wait_paused()
        self.wait_for_casts()
        yield
        for client in self._clients:
            client.resume()

    def wait_for_casts(self, timeout_seconds: float = 15.0) -> None:
        """Wait until all sent casts have run, or until a timeout."""
        operations = self.operations()
        # The verdict reports the missing casts, among other failures.
        with contextlib.suppress(TimeoutError):
            poll(
                lambda: not missing(operations, self._recorder.runs()),
                "all operations have run",
                timeout_seconds,
                LOOK_SECONDS,
            )

    def faults(self) -> list[str]:
        """Return all problems of all operations; for the end of the test."""
        return faults(self.operations(), self._recorder.runs())


def missing(operations: Sequence[Operation], runs: Runs) -> list[str]:
    """Return the operations that should have run in a cell but have not."""
    expected = [(operation, cell) for operation in operations for cell in operation.cells]
    return [
        f"{operation} did not run in {cell}" for operation, cell in expected if (operation.number, cell) not in runs
    ]


def faults(operations: Sequence[Operation], runs: Runs) -> list[str]:
    """Return the operations that failed, were lost, ran twice or ran in a wrong cell."""
    failed = [f"{operation} failed: {operation.error}" for operation in operations if operation.error is not None]
    expected = {(operation.number, cell) for operation in operations for cell in operation.cells}
    doubled = [f"{number} ran {count} times in {cell}" for (number, cell), count in runs.items() if count > 1]
    strayed = [f"{number} ran in {cell}" for number, cell in runs if (number, cell) not in expected]
    return [*failed, *missing(operations, runs), *doubled, *strayed]
