"""Run the benchmark or some of its parts, and print a table for each: ``python -m bench relay casts --rounds 3``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from bench import machine, readme
from bench.parts import PARTS
from bench.report import Row, csv_lines, csv_text, table
from bench.run import Run, Skipped
from cells.exceptions import CellsError
from tools import virtual_hosts
from tools.manager_process import ProcessError

URL = os.environ.get("CELLS_TEST_RABBIT_URL", "rabbit://guest:guest@127.0.0.1:5672/")


def main() -> int:
    """Run the benchmark from the command line; a missed target is no failure."""
    arguments = _arguments()
    # SIGTERM, like Ctrl-C, stops the brokers and managers of the benchmark.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = Run(
        rabbit_url=arguments.rabbit_url,
        rounds=arguments.rounds,
        calls=arguments.calls,
        messages=arguments.messages,
        profiles=arguments.profile,
        figures=arguments.figures,
    )
    for directory in filter(None, (run.profiles, run.figures)):
        directory.mkdir(parents=True, exist_ok=True)
    try:
        described = machine.describe(run.rabbit_url)
        print(", ".join(f"{name} {text}" for name, text in described.items()), flush=True)
        if run.figures is not None:
            (run.figures / "machine.csv").write_text(csv_lines([("measured on", ""), *described.items()]))
        found = {part: _measure(part, run) for part in arguments.parts or PARTS}
    except (virtual_hosts.BrokerError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; its processes are stopped", file=sys.stderr)
        return 130
    measured = {part: rows for part, rows in found.items() if rows is not None}
    if arguments.json:
        rows = [{"part": part, **row.as_dict()} for part, lines in measured.items() for row in lines]
        arguments.json.write_text(json.dumps({"machine": described, "rows": rows}, indent=2) + "\n")
    if arguments.readme:
        try:
            readme.write(arguments.readme, described, measured)
        except ValueError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    return 0 if len(measured) == len(found) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the cost of messages through cells.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"parts to measure: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=100, help="calls of each kind per round (default: %(default)s)")
    parser.add_argument(
        "--messages", type=int, default=60_000, help="messages waiting for the relay (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument(
        "--profile", type=Path, metavar="DIRECTORY", help="also profile the relay with py-spy, and write there"
    )
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="DIRECTORY",
        help="write tables and plots there; the documentation reads them from doc/source/images",
    )
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write the three headline figures into this file")
    parser.add_argument("--rabbit-url", default=URL, help="the RabbitMQ to use (default: %(default)s)")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.parts) - set(PARTS))
    if unknown:
        parser.error(f"unknown part {', '.join(unknown)}; the parts are: {', '.join(PARTS)}")
    return arguments


def _measure(part: str, run: Run) -> list[Row] | None:
    try:
        rows = PARTS[part](run)
    except Skipped as reason:
        print(f"\n!!! {part.upper()} IS SKIPPED: {reason}.", file=sys.stderr, flush=True)
        return []
    except (ProcessError, TimeoutError, CellsError) as error:
        # Keep the results of the other parts.
        print(f"\n!!! {part.upper()} HAS FAILED: {error}", file=sys.stderr, flush=True)
        return None
    print(f"\n{part}\n\n{table(rows)}", flush=True)
    if run.figures is not None:
        (run.figures / f"{part}.csv").write_text(csv_text(rows))
    return rows


if __name__ == "__main__":
    sys.exit(main())
