"""``cells ping``: whether another cell answers, and how fast."""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cliff import lister

from cells import context, exceptions
from cells.cli import base

if TYPE_CHECKING:
    from cells.rpcapi import CellsAPI

_COLUMNS = ("seq", "cell", "host", "version", "time_ms", "error")


@dataclass(frozen=True)
class _Answer:
    """One ping: what came back, or why nothing did."""

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

    @property
    def row(self) -> tuple[Any, ...]:
        return tuple(getattr(self, column) for column in _COLUMNS)


class Ping(base.HumanOutput, lister.Lister):
    """Call the endpoint "ping" of another cell, and measure how long the answer takes.

    The status is 1 if an answer is missing.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """CELL, how often and how long."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "cell", metavar="CELL", help="a name, if it is unique, or a path from the top: api!east!az1"
        )
        parser.add_argument("--count", type=base.positive_count, default=1, metavar="N", help="how often (default: 1)")
        parser.add_argument(
            "--interval",
            type=base.positive_seconds,
            default=1.0,
            metavar="SECONDS",
            help="time from one ping to the next (default: 1)",
        )
        base.add_timeout(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """Called by cliff; the rows come as the answers do."""
        return _COLUMNS, (answer.row for answer in self._pings(parsed_args))

    def show(self, parsed_args: argparse.Namespace) -> None:
        """One line per answer as it comes, and a summary."""
        answers = []
        for answer in self._pings(parsed_args):
            answers.append(answer)
            print(answer, file=self.app.stdout, flush=True)
        times = [answer.time_ms for answer in answers if answer.error is None]
        print(f"--- {parsed_args.cell}: {len(answers)} sent, {len(times)} answered", end="", file=self.app.stdout)
        if times:
            spread = f"{min(times):.1f}/{statistics.median(times):.1f}/{max(times):.1f}"
            print(f", min/median/max {spread} ms", end="", file=self.app.stdout)
        print(file=self.app.stdout)

    def _pings(self, parsed_args: argparse.Namespace) -> Iterator[_Answer]:
        with self.manager() as manager:
            # What has to be loaded and connected for a first call is no part of how long an answer takes.
            manager.neighbors(context.get_admin_context())
            for seq in range(1, parsed_args.count + 1):
                started_at = time.monotonic()
                answer = self._ping(manager, parsed_args, seq)
                self.exit_status = self.exit_status or int(answer.error is not None)
                yield answer
                if seq < parsed_args.count:
                    threading.Event().wait(max(0.0, started_at + parsed_args.interval - time.monotonic()))

    def _ping(self, manager: CellsAPI, parsed_args: argparse.Namespace, seq: int) -> _Answer:
        started_at = time.perf_counter()
        answer: dict[str, Any] = {}
        error = None
        try:
            value = manager.call(context.get_admin_context(), parsed_args.cell, "ping", timeout=parsed_args.timeout)
            # Another release's ping may answer anything.
            answer = value if isinstance(value, dict) else {}
        except exceptions.CellsError as problem:
            error = base.describe(problem)
        time_ms = round((time.perf_counter() - started_at) * 1000, 3)
        return _Answer(
            seq, answer.get("cell", parsed_args.cell), answer.get("host"), answer.get("version"), time_ms, error
        )
