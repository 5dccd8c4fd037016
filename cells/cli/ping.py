"""``cells ping``: measure whether and how fast another cell answers."""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from cliff import lister

from cells import context, exceptions
from cells.cli import arguments, base

if TYPE_CHECKING:
    from cells.rpcapi import CellsAPI


class _Answer(NamedTuple):
    """Result of one ping, a row of the table: the answer, or the error."""

    seq: int
    cell: str
    host: str | None
    version: str | None
    time_ms: float
    error: str | None

    def __str__(self) -> str:
        if self.error is not None:
            return f"seq={self.seq} no answer from {self.cell} after {self.time_ms:.1f} ms: {self.error}"
        return (
            f"seq={self.seq} answer from {self.cell}, host {self.host}, API {self.version}: time={self.time_ms:.1f} ms"
        )


class Ping(base.TextOutput, lister.Lister):
    """Call the endpoint "ping" of another cell, and measure how long the answer takes.

    If some answers are missing, the exit status is 1; if all are missing, it is 2.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        arguments.add_cell(parser)
        parser.add_argument(
            "--count", type=base.positive_count, default=1, metavar="N", help="number of pings (default: 1)"
        )
        parser.add_argument(
            "--interval",
            type=base.positive_seconds,
            default=1.0,
            metavar="SECONDS",
            help="time between the starts of two pings (default: 1)",
        )
        base.add_timeout(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """Return an iterator of rows, which pings while cliff reads it."""
        return _Answer._fields, self._pings(parsed_args)

    def print_text(self, parsed_args: argparse.Namespace) -> None:
        """Print each answer when it arrives, then a summary."""
        answers = []
        for answer in self._pings(parsed_args):
            answers.append(answer)
            self.say(str(answer))
        times = [answer.time_ms for answer in answers if answer.error is None]
        summary = f"--- {parsed_args.cell}: {len(answers)} sent, {len(times)} answered"
        if times:
            spread = f"{min(times):.1f}/{statistics.median(times):.1f}/{max(times):.1f}"
            summary += f", min/median/max {spread} ms"
        self.say(summary)

    def _pings(self, parsed_args: argparse.Namespace) -> Iterator[_Answer]:
        answered = 0
        with self.manager(parsed_args.timeout) as manager:
            # The first call loads modules and opens connections: keep that out of the measured time.
            self.check_answers(manager.status(context.get_admin_context()).get("name"))
            for seq in range(1, parsed_args.count + 1):
                started_at = time.monotonic()
                answer = self._ping(manager, parsed_args, seq)
                answered += answer.error is None
                if answered < seq:
                    self.exit_status = base.STATUS_DEGRADED if answered else base.STATUS_FAILED
                yield answer
                if seq < parsed_args.count:
                    threading.Event().wait(max(0.0, started_at + parsed_args.interval - time.monotonic()))

    def _ping(self, manager: CellsAPI, parsed_args: argparse.Namespace, seq: int) -> _Answer:
        started_at = time.perf_counter()
        answer: dict[str, Any] = {}
        error = None
        try:
            value = manager.call(context.get_admin_context(), parsed_args.cell, "ping", timeout=parsed_args.timeout)
            # The ping of another release may return any value.
            answer = value if isinstance(value, dict) else {}
        except exceptions.CellsError as problem:
            error = base.describe(problem)
        time_ms = round((time.perf_counter() - started_at) * 1000, 3)
        return _Answer(
            seq, answer.get("cell", parsed_args.cell), answer.get("host"), answer.get("version"), time_ms, error
        )
