"""Run all drills, or some of them, and print a table: ``python -m drills link-cut kill9-east --seed 3``."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import get_args

from cells.exceptions import CellsError
from drills import report
from drills.catalog import DRILLS, Drill
from drills.run import Length, run
from drills.verdict import Verdict
from tools import broker_node
from tools.databases import DatabaseServerError
from tools.direct_links import Links
from tools.manager_process import ProcessError

MAX_VIOLATIONS = 12


def main() -> int:
    """Run drills from the command line; the exit status is 1 if a promise was broken or a drill did not run."""
    arguments = _arguments()
    # SIGTERM, like Ctrl-C, stops all processes of the drill.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not broker_node.is_installed():
        print("drills: the programs rabbitmq-server and rabbitmqctl are not installed.", file=sys.stderr)
        return 1
    print(f"links {arguments.links}, seed {arguments.seed}\n\n{report.heading()}", flush=True)
    verdicts: list[Verdict] = []
    complete = True
    try:
        for name in arguments.drills or DRILLS:
            try:
                verdict = _run(DRILLS[name], arguments.seed, arguments.keep, arguments.links)
            except (ProcessError, TimeoutError, CellsError) as error:
                # Keep the results of the other drills.
                print(f"\n!!! {name.upper()} HAS FAILED: {error}", file=sys.stderr, flush=True)
                complete = False
                continue
            verdicts.append(verdict)
            print(report.line(verdict), flush=True)
            for violation in verdict.violations[:MAX_VIOLATIONS]:
                print(f"drills: {name}: {violation}", file=sys.stderr, flush=True)
    except DatabaseServerError as error:
        print(f"drills: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("drills: interrupted; all processes are stopped", file=sys.stderr)
        return 130
    if arguments.json:
        arguments.json.write_text(report.as_json(arguments.links, arguments.seed, verdicts))
    return 0 if complete and not any(verdict.violations for verdict in verdicts) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m drills", description="Make faults in a tree of real cells under load, and look up each message."
    )
    parser.add_argument("drills", nargs="*", metavar="NAME", help=f"drills to run: {', '.join(DRILLS)} (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="of the times between messages (default: %(default)s)")
    parser.add_argument(
        "--links",
        choices=get_args(Links),
        default="rpc",
        help="driver of the links between cells (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument(
        "--keep", type=Path, metavar="DIRECTORY", help="keep the logs and results of each drill there, by its name"
    )
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.drills) - set(DRILLS))
    if unknown:
        parser.error(f"unknown drill {', '.join(unknown)}; the drills are: {', '.join(DRILLS)}")
    if arguments.keep:
        used = [name for name in arguments.drills or DRILLS if (arguments.keep / name).exists()]
        if used:
            parser.error(f"{arguments.keep} has files of {', '.join(used)} already: name another directory")
    return arguments


def _run(drill: Drill, seed: int, keep: Path | None, links: Links) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="cells-drills-") as made:
        return run(drill, Path(made) if keep is None else keep.resolve() / drill.name, seed, Length(), links)


if __name__ == "__main__":
    sys.exit(main())
