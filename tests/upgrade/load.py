"""The continuous load on a tree that is upgraded, and the verdict on what became of it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.upgrade.load_client import PATIENCE_SECONDS, LoadClient, Operation
from tests.upgrade.recorder import Recorder, Runs
from tools.polling import poll

KINDS = ("call", "cast", "broadcast")
LOOK_SECONDS = 0.2


class Load:
    """All clients, and what they have sent."""

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
        """Wait until each client has ended ``count`` more operations of each kind."""
        wanted = {key: done + count for key, done in self._progress().items()}

        def is_reached() -> bool:
            done = self._progress()
            return all(done[key] >= number for key, number in wanted.items())

        poll(is_reached, f"{count} more of everything, from everywhere", PATIENCE_SECONDS, LOOK_SECONDS)

    def _progress(self) -> dict[tuple[str, str], int]:
        done = {client.name: Counter(operation.kind for operation in client.operations()) for client in self._clients}
        return {(name, kind): kinds[kind] for name, kinds in done.items() for kind in KINDS}

    def finish(self) -> None:
        """Stop sending, and wait for what is on its way."""
        for client in self._clients:
            client.finish()
        self.wait_for_casts()

    def operations(self) -> list[Operation]:
        """All that have ended so far."""
        return [operation for client in self._clients for operation in client.operations()]

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is under way within the block: neither from the clients, nor between the cells."""
        for client in self._clients:
            client.begin_pause()
        for client in self._clients:
            client.wait_paused()
        self.wait_for_casts()
        yield
        for client in self._clients:
            client.resume()

    def wait_for_casts(self, timeout_seconds: float = 15.0) -> None:
        """Wait until all casts that were sent have run, or until there is no more hope for them."""
        operations = self.operations()
        # What is missing then is in the verdict, which is about more than that.
        with contextlib.suppress(TimeoutError):
            poll(lambda: not missing(operations, self._recorder.runs()), "all has run", timeout_seconds, LOOK_SECONDS)

    def faults(self) -> list[str]:
        """What went wrong with all that was sent; for the end."""
        return faults(self.operations(), self._recorder.runs())


def missing(operations: Sequence[Operation], runs: Runs) -> list[str]:
    """What should have run in a cell and has not."""
    expected = [(operation, cell) for operation in operations for cell in operation.cells]
    return [
        f"{operation} did not run in {cell}" for operation, cell in expected if (operation.number, cell) not in runs
    ]


def faults(operations: Sequence[Operation], runs: Runs) -> list[str]:
    """What failed, was lost, ran twice or ran where it should not."""
    failed = [f"{operation} failed: {operation.error}" for operation in operations if operation.error is not None]
    expected = {(operation.number, cell) for operation in operations for cell in operation.cells}
    doubled = [f"{number} ran {count} times in {cell}" for (number, cell), count in runs.items() if count > 1]
    strayed = [f"{number} ran in {cell}" for number, cell in runs if (number, cell) not in expected]
    return [*failed, *missing(operations, runs), *doubled, *strayed]
