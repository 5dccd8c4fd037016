"""``cells watch``: links, rates and queues of this cell, again and again."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from cells import context, exceptions
from cells.cli import base, watch_view
from cells.cli.rates import Rates, Sample

if TYPE_CHECKING:
    from cells.rpcapi import CellsAPI

_DEFAULT_INTERVAL = 2.0
#: cursor to the top left corner; the end of a line, and of the screen, is cleared after each text
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_CLEAR, _HIDE_CURSOR, _SHOW_CURSOR = "\x1b[2J", "\x1b[?25l", "\x1b[?25h"


class Watch(base.CellCommand):
    """Show the links, rates and queues of this cell, until Ctrl-C.

    A terminal is redrawn at each interval: the links that are not "up" come first. Otherwise the command writes a line
    for each interval, and one for each link whose state has changed, or a JSON object for each interval.

    A rate is the difference of two counts of one manager, per second. If the cell has several managers, any of them
    answers, and its rates follow when it answers again. "waiting" are the messages that the manager has not passed on
    yet, "lost" those that it gave up, as in "cells neighbor status".
    """

    shows_progress = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--interval",
            type=base.positive_seconds,
            default=_DEFAULT_INTERVAL,
            metavar="SECONDS",
            help=f"time between the starts of two samples (default: {_DEFAULT_INTERVAL:g})",
        )
        parser.add_argument("--count", type=base.positive_count, metavar="N", help="end after so many samples")
        parser.add_argument(
            "-f", "--format", choices=("text", "json"), default="text", help="output format (default: text)"
        )
        base.add_timeout(parser, base.FIRST_LOOK_SECONDS)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Show samples until the last one; called by cliff."""
        # A stream of cells.cmd.streams.
        stdout: Any = self.app.stdout
        is_drawn = parsed_args.format == "text" and stdout.isatty() and os.environ.get("TERM") != "dumb"
        try:
            if is_drawn:
                stdout.write_control(_HIDE_CURSOR + _CLEAR)
            with self.manager(parsed_args.timeout) as manager:
                for sample in self._samples(manager, parsed_args):
                    if is_drawn:
                        self._draw(sample)
                    else:
                        self._print(sample, parsed_args)
        finally:
            if is_drawn:
                stdout.write_control(f"{_SHOW_CURSOR}\n")

    def _samples(self, manager: CellsAPI, parsed_args: argparse.Namespace) -> Iterator[Sample]:
        rates, number = Rates(), 0
        while True:
            started_at = time.monotonic()
            try:
                status = manager.status(context.get_admin_context())
                self.check_answers(status.get("name"))
                sample = rates.sample(status, manager.neighbors(context.get_admin_context()), time.monotonic())
            except exceptions.CellsError as error:
                if not number:
                    raise
                sample = rates.failed(base.describe(error))
            self.exit_status = 0 if sample.is_well else base.STATUS_DEGRADED
            yield sample
            number += 1
            if number == parsed_args.count:
                return
            threading.Event().wait(max(0.0, started_at + parsed_args.interval - time.monotonic()))

    def _draw(self, sample: Sample) -> None:
        size, has_color = shutil.get_terminal_size(), not os.environ.get("NO_COLOR")
        lines = watch_view.draw(sample, size.columns, size.lines, f"{datetime.now():%H:%M:%S}")
        # At once, so that nothing flickers.  The texts have no control characters.
        drawn = [
            (f"\x1b[{line.color}m{line.text}\x1b[0m" if has_color and line.color else line.text) + _CLEAR_LINE
            for line in lines
        ]
        stdout: Any = self.app.stdout
        stdout.write_control(_HOME + "\n".join(drawn) + _CLEAR_BELOW)

    def _print(self, sample: Sample, parsed_args: argparse.Namespace) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
        if parsed_args.format == "json":
            self.say(json.dumps({"time": now, **sample.as_dict()}, ensure_ascii=False))
            return
        for line in watch_view.lines(sample):
            self.say(f"{now} {line}")
